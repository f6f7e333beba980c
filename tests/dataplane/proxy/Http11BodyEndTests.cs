using System.Text;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

/// <summary>What comes after a body, or before its end, where both sides speak HTTP/1.1: trailers, and answers to uploads under way.</summary>
public sealed class Http11BodyEndTests
{
    [Theory]
    [InlineData("TE: trailers\r\nConnection: TE\r\n", "")]
    [InlineData("", "Trailer: X-Sum\r\n")]
    public async Task Trailers_OfHttp11_ReachAnHttp11Client(string fields, string announced)
    {
        await using RawOrigin origin = RawOrigin.Answering($"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{announced}\r\n5\r\nhello\r\n3\r\nabc\r\n0\r\nX-Sum: 42\r\nContent-Length: 9\r\n\r\n");
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        for (int i = 0; i < 2; i++)
        {
            RawResponse response = await client.RequestAsync($"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
            Assert.Equal(("helloabc", BodyEnd.LastChunk, "chunked"), (response.Text, response.End, response["transfer-encoding"]));
            KeyValuePair<string, string> trailer = Assert.Single(response.Trailers);
            Assert.Equal(("X-Sum", "42"), (trailer.Key, trailer.Value));
        }
    }

    [Fact]
    public async Task TrailersOfARequest_ReachAnHttp11Upstream()
    {
        Assert.SkipUnless(ProxyHost.OnLoops, "the handler under the sockets transport cannot send request trailers");
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            await connection.ReadBodyAsync((await connection.ReadHeadAsync())!);
            await connection.RespondAsync(200, "ok");
        });
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await RawHttpClient.OnceAsync(proxy.Address, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 42\r\nHost: evil\r\n\r\n");
        Assert.EndsWith("abc\r\n0\r\nX-Sum: 42\r\n\r\n", origin.ReceivedText, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RequestBody_GoesOnWhileTheResponseOfAnHttp11UpstreamComes()
    {
        Assert.SkipUnless(ProxyHost.OnLoops, "the handler under the sockets transport reads the answer after the body");
        string[] words = ["one", "two", "three"];
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            foreach (string word in words)
            {
                await connection.ReadThroughAsync(word);
                await connection.SendChunkAsync(word.ToUpperInvariant());
            }
            await connection.ReadThroughAsync("0\r\n\r\n");
            await connection.SendAsync("0\r\n\r\n");
            // In order, so the connection is as good as before.
            await connection.ReadHeadAsync();
            await connection.RespondAsync(200, "again");
        });
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        Assert.Equal(200, (await client.ReadHeadAsync())!.Status);
        foreach (string word in words)
        {
            // The next is sent when the answer to this one has come through.
            string chunk = $"{word.Length:x}\r\n{word}\r\n";
            await client.SendAsync(chunk);
            Assert.Equal(chunk.ToUpperInvariant(), Encoding.ASCII.GetString(await client.ReadAsync(chunk.Length)).ToUpperInvariant());
        }
        await client.SendAsync("0\r\n\r\n");
        Assert.Equal("0\r\n\r\n", Encoding.ASCII.GetString(await client.ReadAsync(5)));
        Assert.Equal("again", (await client.RequestAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).Text);
        Assert.Equal(1, origin.ConnectionCount);
    }

    [Fact]
    public async Task EarlyAnswerOfAnHttp11Upstream_ReachesTheClientThatIsStillSending()
    {
        Assert.SkipUnless(ProxyHost.OnLoops, "the handler under the sockets transport reads the answer after the body");
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
            await connection.WaitForEndAsync();
        });
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n0123456789");
        RawResponse response = await client.ReadResponseAsync();
        Assert.Equal((413, "big"), (response.Status, response.Text));
        await Eventually.Until("nothing is in flight", () => proxy.InFlight == 0 && proxy.UpstreamInFlight == 0);
    }
}
