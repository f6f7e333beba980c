using System.Text;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

/// <summary>An upstream that never comes to an end is given up, long before a timeout and without hoarding what it sends.</summary>
public sealed class HostileUpstreamTests
{
    [Theory]
    [InlineData("a reason without end", "HTTP/1.1 200 ", "xxxxxxxxxxxxxxxx")]
    [InlineData("a field without end", "HTTP/1.1 200 OK\r\nX: ", "xxxxxxxxxxxxxxxx")]
    [InlineData("fields without end", "HTTP/1.1 200 OK\r\n", "A: b\r\n")]
    [InlineData("interim responses without end", "", "HTTP/1.1 100 Continue\r\n\r\n")]
    [InlineData("early hints without end", "", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")]
    public async Task AHeadThatNeverEnds_IsRefused(string what, string start, string repeated)
    {
        byte[] flood = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(repeated, 16 * 1024 / repeated.Length)));
        long sent = 0;
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            _ = await connection.ReadHeadAsync();
            await connection.SendAsync(start);
            while (true)
            {
                await connection.SendAsync(flood);
                Interlocked.Add(ref sent, flood.Length);
            }
        });
        Assert.SkipUnless(ProxyHost.OnLoops, "the handler under the sockets transport has bounds of its own");
        await using ProxyHost host = await ProxyHost.StartAsync(origin.Address);
        RawResponse response = await RawHttpClient.OnceAsync(host.Address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.Equal((what, 502), (what, response.Status));
        Assert.Contains("upstream_protocol_error", response.Text);
        // What the kernel's buffers hold is in it; what it would send in a second is much more.
        Assert.InRange(Interlocked.Read(ref sent), 0, 64 << 20);
        await Eventually.Until("the connection is given up", () => host.Endpoints[0].Upstream.Connections == 0);
    }

    [Theory]
    [InlineData("a chunk size without end", "Transfer-Encoding: chunked\r\n\r\n", "0000000000000000")]
    [InlineData("an extension without end", "Transfer-Encoding: chunked\r\n\r\n1;", "xxxxxxxxxxxxxxxx")]
    [InlineData("trailers without end", "Transfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\r\n")]
    [InlineData("a trailer without end", "Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", "xxxxxxxxxxxxxxxx")]
    public async Task AFramingThatNeverEnds_IsNoCleanEnd(string what, string start, string repeated)
    {
        byte[] flood = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(repeated, 16 * 1024 / repeated.Length)));
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            _ = await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 200 OK\r\n" + start);
            while (true) await connection.SendAsync(flood);
        });
        Assert.SkipUnless(ProxyHost.OnLoops, "the handler under the sockets transport has bounds of its own");
        await using ProxyHost host = await ProxyHost.StartAsync(origin.Address);
        RawResponse response;
        try { response = await RawHttpClient.OnceAsync(host.Address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); }
        // Given up before its head had gone out.
        catch (IOException) { return; }
        Assert.Equal((what, BodyEnd.Died), (what, response.End));
    }

    [Fact]
    public async Task AFewInterimResponses_AreNothingUnusual()
    {
        await using RawOrigin origin = RawOrigin.Answering(
            string.Concat(Enumerable.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 16)) + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        await using ProxyHost host = await ProxyHost.StartAsync(origin.Address);
        for (int i = 0; i < 3; i++) Assert.Equal("ok", (await RawHttpClient.OnceAsync(host.Address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")).Text);
    }
}
