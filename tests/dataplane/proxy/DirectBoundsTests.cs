using System.Buffers.Binary;
using Gateway.Config;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

/// <summary>What the short way does not do for ever, nor to the next response: wait for a client that does not read, or pass on more than was promised.</summary>
public sealed class DirectBoundsTests
{
    /// <summary>The client has been sent a reset: it need not read to learn of it.</summary>
    private static async Task<bool> IsResetAsync(RawHttpClient client)
    {
        try
        {
            await client.SendAsync("x");
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }

    [Theory]
    [InlineData("a", 500)]
    [InlineData("nowhere", 60_000)]
    public async Task AClientThatReadsNoneOfTheGatewaysOwnAnswers_IsLetGo(string host, int requests)
    {
        Assert.SkipUnless(ProxyHost.IsDirect, "the short way is on the event loops alone");
        await using ProxyHost proxy = await ProxyHost.StartAsync(RawOrigin.RefusedAddress(), new ProxyOptions
        {
            OnlyHost = "a",
            ClientIdle = TimeSpan.FromMilliseconds(500),
            ClientRest = TimeSpan.FromMinutes(1),
            Route = new RouteConfig { Name = "r", Match = new MatchConfig(), Respond = new RespondConfig { Status = 200, Body = new string('x', 60_000) } },
        });
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        // More answers than the kernel's buffers hold; how many of the requests it takes does not matter.
        Task sent = client.SendAsync(string.Concat(Enumerable.Repeat($"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n", requests)));
        await Eventually.Until("a response waits for the client", () => proxy.Snapshots.Current!.Leases.Held == 1);
        await Eventually.Until("the connection is given up", async () => sent.IsFaulted || (sent.IsCompleted && await IsResetAsync(client)));
        await Eventually.Until("the snapshot is free", () => proxy.Snapshots.Current!.Leases.Held == 0);
        Assert.Empty(proxy.Log.Errors);
        Assert.Equal(0, proxy.HandedOver);
        _ = await Record.ExceptionAsync(() => sent);
    }

    [Theory]
    [InlineData("Content-Length: 5\r\n\r\nhello")]
    [InlineData("Connection: close\r\n\r\nhello")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")]
    public async Task TheBodyOfAResetContent_IsNoPartOfTheNextResponse(string rest)
    {
        Assert.SkipUnless(ProxyHost.OnLoops, "the handler under the sockets transport refuses it");
        int asked = 0;
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            while (await connection.ReadHeadAsync() is not null)
            {
                bool reset = Interlocked.Increment(ref asked) == 1;
                await connection.SendAsync(reset ? $"HTTP/1.1 205 Reset Content\r\n{rest}" : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                if (reset && rest.StartsWith("Connection", StringComparison.Ordinal)) return;
            }
        });
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        RawResponse response = await client.RequestAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.Equal((205, "0", ""), (response.Status, response["content-length"], response.Text));
        Assert.Equal("ok", (await client.RequestAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).Text);
    }

    [Theory]
    [InlineData(false, "hello HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!")]
    [InlineData(false, "hello", " HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!")]
    [InlineData(false, "hel", "lo HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!")]
    [InlineData(true, "hello", "more")]
    [InlineData(true, "hel", "lo more")]
    public async Task MoreThanTheUpstreamPromised_NeverReachesTheClient(bool http2Client, params string[] pieces)
    {
        await using RawOrigin origin = RawOrigin.Start(connection => AnswerOverHttp2Async(connection, length: 5, pieces));
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Protocol = UpstreamProtocol.H2c });
        string text;
        if (http2Client)
        {
            using HttpClient client = H2Client.Http2(proxy.Http2Address);
            try
            {
                text = await client.GetStringAsync("/");
            }
            catch (HttpRequestException)
            {
                text = "";
            }
        }
        else
        {
            await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
            await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            text = (await client.ReadEndAsync()).Remainder;
            text = text.Length == 0 ? "" : text[(text.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];
        }
        // What followed would be taken for the response to the next request.
        Assert.StartsWith(text, "hello", StringComparison.Ordinal);
        await Eventually.Until("it is counted as what it is", () => proxy.Scrape().Contains("category=\"upstream_protocol_error\"", StringComparison.Ordinal));
        Assert.Empty(proxy.Log.Errors);
    }

    // One response with the length that it has and the pieces of a body, each a DATA frame of its own.
    private static async Task AnswerOverHttp2Async(RawConnection connection, int length, string[] pieces)
    {
        _ = await connection.ReadAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".Length);
        await connection.SendAsync(RawHttp2Client.Frame(Http2Frame.Settings, 0, 0, []));
        while (await connection.ReadAsync(9) is { Length: 9 } head)
        {
            _ = await connection.ReadAsync((head[0] << 16) | (head[1] << 8) | head[2]);
            if (head[3] == Http2Frame.Settings && head[4] == 0) await connection.SendAsync(RawHttp2Client.Frame(Http2Frame.Settings, 1, 0, []));
            if (head[3] != Http2Frame.Headers) continue;
            int stream = BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5));
            byte[] fields = RawHttp2Client.Block((":status", "200"), ("content-length", $"{length}"));
            await connection.SendAsync(RawHttp2Client.Frame(Http2Frame.Headers, RawHttp2Client.EndHeaders, stream, fields));
            for (int i = 0; i < pieces.Length; i++)
            {
                byte flags = i == pieces.Length - 1 ? RawHttp2Client.EndStream : (byte)0;
                await connection.SendAsync(RawHttp2Client.Frame(Http2Frame.Data, flags, stream, System.Text.Encoding.Latin1.GetBytes(pieces[i])));
            }
        }
    }
}
