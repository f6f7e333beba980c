using System.Net;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Load;

/// <summary>A gigabyte each way in constant memory.</summary>
[Collection("load")]
public sealed class LargeBodyTests
{
    private const long Gigabyte = 1L << 30;

    /// <summary>What a body may cost beyond the idle process: buffers of both sides and what the collector has not returned yet.</summary>
    private const long MemoryAllowance = 150L << 20;

    private static async Task<(HttpOrigin Origin, GatewayProcess Gateway, HttpClient Client)> StartAsync(string version)
    {
        HttpOrigin origin = await HttpOrigin.StartAsync();
        GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Doc.Route("all", more: "\"bodyBytes\": 0, \"timeouts\": { \"request\": \"5m\" }"), Doc.Pool("main", origin.Address)));
        HttpClient client = version == "2.0" ? H2Client.Http2(gateway.Listener()) : H2Client.Http1(gateway.Listener());
        client.Timeout = TimeSpan.FromMinutes(5);
        _ = await client.GetAsync("/warm");
        return (origin, gateway, client);
    }

    [Theory]
    [InlineData("1.1", 1)]
    [InlineData("2.0", 4)]
    public async Task Download(string version, int part)
    {
        (HttpOrigin origin, GatewayProcess gateway, HttpClient client) = await StartAsync(version);
        await using (origin)
        await using (gateway)
        using (client)
        {
            long size = Gigabyte / part, before = gateway.PeakRss, received = 0;
            using HttpResponseMessage response = await client.GetAsync($"/bytes/{size}", HttpCompletionOption.ResponseHeadersRead);
            await using Stream body = await response.Content.ReadAsStreamAsync();
            byte[] buffer = new byte[1 << 20];
            for (int n; (n = await body.ReadAsync(buffer)) > 0;) received += n;
            Assert.Equal(size, received);
            Assert.InRange(gateway.PeakRss - before, 0, MemoryAllowance);
        }
    }

    [Theory]
    [InlineData("1.1", 1)]
    [InlineData("2.0", 4)]
    public async Task Upload(string version, int part)
    {
        (HttpOrigin origin, GatewayProcess gateway, HttpClient client) = await StartAsync(version);
        await using (origin)
        await using (gateway)
        using (client)
        {
            long size = Gigabyte / part, before = gateway.PeakRss;
            using HttpResponseMessage response = await client.PostAsync("/sink?nohash=1", new ZeroContent(size));
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.StartsWith($"{size} ", await response.Content.ReadAsStringAsync());
            Assert.InRange(gateway.PeakRss - before, 0, MemoryAllowance);
        }
    }

    private sealed class ZeroContent(long size) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            byte[] piece = new byte[1 << 20];
            for (long left = size; left > 0; left -= piece.Length) await stream.WriteAsync(piece.AsMemory(0, (int)Math.Min(left, piece.Length)));
        }

        protected override bool TryComputeLength(out long length)
        {
            length = size;
            return true;
        }
    }
}
