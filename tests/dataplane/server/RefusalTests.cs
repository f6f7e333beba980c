using System.Buffers;
using System.Text;
using Gateway.Config;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Server;

/// <summary>What Kestrel refuses by itself is counted: this also holds Kestrel to the event names that <c>RefusalTap</c> knows.</summary>
public sealed class RefusalTests
{
    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n", 400, "bad_request")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n", 400, "bad_request")]
    [InlineData("GET / HTTP/1.1\r\n\r\n", 400, "bad_request")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\n", 408, "client_timeout")]
    public async Task MalformedRequest_IsAnsweredAndCounted(string request, int status, string category)
    {
        await using RunningHost running = new();
        await running.ApplyAsync(RunningHost.Listener() with { Limits = new() { HeaderTimeout = TimeSpan.FromMilliseconds(500) } });
        RawResponse response = await RawHttpClient.OnceAsync(running.Address(), request);
        Assert.Equal((status, "close"), (response.Status, response["Connection"]));
        await EventuallyCounted(running, category);
    }

    [Fact]
    public async Task GrossExcess_IsRefusedBeforeTheApplication_AndModestExcessReachesIt()
    {
        await using RunningHost running = new();
        await running.ApplyAsync(RunningHost.Listener() with { Limits = new() { UrlBytes = ByteSize.KiB(8), HeaderBytes = ByteSize.KiB(8), HeaderCount = 10 } });
        Uri address = running.Address();
        string Url(int length) => $"GET /{new string('x', length)} HTTP/1.1\r\nHost: a\r\n\r\n";
        string Headers(int count, int length) => "GET / HTTP/1.1\r\nHost: a\r\n" + string.Concat(Enumerable.Repeat($"x: {new string('y', length)}\r\n", count)) + "\r\n";
        Assert.Equal(200, (await RawHttpClient.OnceAsync(address, Url(20_000))).Status);
        Assert.Equal(200, (await RawHttpClient.OnceAsync(address, Headers(100, 10))).Status);
        Assert.Equal(200, (await RawHttpClient.OnceAsync(address, Headers(4, 8000))).Status);
        Assert.Equal(414, (await RawHttpClient.OnceAsync(address, Url(30_000))).Status);
        Assert.Equal(431, (await RawHttpClient.OnceAsync(address, Headers(150, 10))).Status);
        Assert.Equal(431, (await RawHttpClient.OnceAsync(address, Headers(8, 8000))).Status);
        await EventuallyCounted(running, "uri_too_long");
        await EventuallyCounted(running, "headers_too_large", 2);
    }

    [Fact]
    public async Task Http2ConnectionThatBreaksTheRules_IsCounted()
    {
        await using RunningHost running = new();
        await running.ApplyAsync(RunningHost.Listener());
        await using RawHttpClient client = await running.ConnectAsync();
        await client.SendAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        // DATA on stream 0.
        await client.SendAsync(new byte[] { 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0 });
        await client.ReadEndAsync();
        await EventuallyCounted(running, "bad_request");
    }

    [Fact]
    public async Task HandshakeThatFails_IsCounted()
    {
        await using RunningHost running = new();
        using TestCertificates authority = new(running.Folder.Root);
        authority.Server("site", "site.test");
        await running.ApplyAsync(TlsTests.Document(["site"], new ListenerTlsConfig { Certificates = ["site"] }));
        await using RawHttpClient client = await running.ConnectAsync();
        await client.SendAsync("GET / HTTP/1.1\r\n\r\n");
        await client.ReadEndAsync();
        await EventuallyCounted(running, "tls_handshake_failed");
    }

    private static Task EventuallyCounted(RunningHost running, string category, int times = 1) => Eventually.Until(
        $"{times} of {category} are counted", () => Scrape(running).Contains($"gateway_errors_total{{route=\"\",category=\"{category}\"}} {times}", StringComparison.Ordinal));

    internal static string Scrape(RunningHost running)
    {
        ArrayBufferWriter<byte> output = new();
        running.Host.Metrics.Write(output, openMetrics: false);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
