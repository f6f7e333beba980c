using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.DataPlane;

/// <summary>Frames that no library would send: nothing of them reaches an HTTP/1.1 upstream as something else, and nobody else notices.</summary>
public sealed class HostileHttp2Tests(MalformedSite site) : IClassFixture<MalformedSite>
{
    public static TheoryData<string, string[]> Blocks => new()
    {
        { "line break in a value", [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a", "x", "a\r\nHost: evil"] },
        { "line feed in a value", [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a", "x", "a\nb: c"] },
        { "NUL in a value", [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a", "x", "a\0b"] },
        { "line break in a name", [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a", "x\r\ny", "1"] },
        { "colon in a name", [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a", "x: 1\r\ny", "1"] },
        { "space in a name", [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a", "x ", "1"] },
        { "upper case in a name", [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a", "X-Up", "1"] },
        { "request line in the path", [":method", "GET", ":scheme", "http", ":path", "/ HTTP/1.1\r\nHost: evil\r\n\r\nGET /smuggled", ":authority", "a"] },
        { "space in the path", [":method", "GET", ":scheme", "http", ":path", "/a b", ":authority", "a"] },
        { "path without a slash", [":method", "GET", ":scheme", "http", ":path", "a", ":authority", "a"] },
        { "empty path", [":method", "GET", ":scheme", "http", ":path", "", ":authority", "a"] },
        { "no path", [":method", "GET", ":scheme", "http", ":authority", "a"] },
        { "two paths", [":method", "GET", ":scheme", "http", ":path", "/", ":path", "/b", ":authority", "a"] },
        { "request line in the method", [":method", "GET / HTTP/1.1\r\nx: y\r\n\r\nGET", ":scheme", "http", ":path", "/", ":authority", "a"] },
        { "line break in the authority", [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a\r\nx: y"] },
        { "two Hosts", [":method", "GET", ":scheme", "http", ":path", "/", "host", "a", "host", "b"] },
        { "unknown pseudo-header", [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a", ":evil", "1"] },
        { "pseudo-header after a field", [":method", "GET", ":scheme", "http", ":path", "/", "x", "1", ":authority", "a"] },
        { "response pseudo-header", [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a", ":status", "200"] },
        { "connection", [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a", "connection", "close"] },
        { "transfer-encoding", [":method", "POST", ":scheme", "http", ":path", "/", ":authority", "a", "transfer-encoding", "chunked"] },
        { "keep-alive", [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a", "keep-alive", "1"] },
        { "upgrade", [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a", "upgrade", "foo"] },
        { "te other than trailers", [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a", "te", "gzip"] },
        { "two lengths", [":method", "POST", ":scheme", "http", ":path", "/", ":authority", "a", "content-length", "0", "content-length", "5"] },
    };

    [Theory]
    [MemberData(nameof(Blocks))]
    public async Task MalformedHeaders_NeverReachTheUpstream(string what, string[] fields)
    {
        int before = site.Origin.RequestCount;
        await using RawHttp2Client client = await RawHttp2Client.ConnectAsync(site.Gateway.Listener());
        await client.SendAsync(Http2Frame.Headers, RawHttp2Client.EndStream | RawHttp2Client.EndHeaders, 1, RawHttp2Client.Block([.. fields.Chunk(2).Select(f => (f[0], f[1]))]));
        // Refused with an answer, by a reset or with the whole connection; but not silently kept.
        _ = await client.ReadOutcomeAsync(1);
        Assert.True(before == site.Origin.RequestCount, $"{what}: the upstream got {site.Origin.Requests.LastOrDefault()}");
    }

    [Fact]
    public async Task HostBesideTheAuthority_IsNotForwarded()
    {
        await using RawOrigin origin = RawOrigin.Answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(origin.Address));
        await using RawHttp2Client client = await RawHttp2Client.ConnectAsync(gateway.Listener());
        await client.SendAsync(Http2Frame.Headers, RawHttp2Client.EndStream | RawHttp2Client.EndHeaders, 1,
            RawHttp2Client.Block((":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "good.test"), ("host", "evil.test")));
        _ = await client.ReadOutcomeAsync(1);
        // Refused, or served as what the authority says: both are one reading.
        Assert.DoesNotContain("evil.test", origin.ReceivedText);
    }

    [Theory]
    [InlineData("5", 3)]
    [InlineData("3", 5)]
    public async Task BodyOfAnotherLengthThanDeclared_IsNoWholeRequestUpstream(string declared, int sent)
    {
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            string? head = await connection.ReadHeadAsync();
            if (head is null) return;
            byte[] body = await connection.ReadBodyAsync(head);
            if (connection.End == WireEnd.Open && body.Length.ToString(System.Globalization.CultureInfo.InvariantCulture) == declared) await connection.RespondAsync(200, "whole");
            _ = await connection.WaitForEndAsync();
        });
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(origin.Address));
        await using RawHttp2Client client = await RawHttp2Client.ConnectAsync(gateway.Listener());
        byte[] head = RawHttp2Client.Block((":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a"), ("content-length", declared));
        await client.SendAsync(Http2Frame.Headers, RawHttp2Client.EndHeaders, 1, head);
        await client.SendAsync(Http2Frame.Data, RawHttp2Client.EndStream, 1, new byte[sent]);
        Http2Frame? outcome = await client.ReadOutcomeAsync(1);
        Assert.True(outcome is null or { Type: Http2Frame.RstStream or Http2Frame.GoAway } || outcome.Payload[0] != 0x88, "200 for a body of the wrong length");
    }

    [Fact]
    public async Task RapidReset_StopsNobodyElseAndLeavesNothingBehind()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(origin.Address));
        long rss = gateway.Rss;
        await using RawHttp2Client attacker = await RawHttp2Client.ConnectAsync(gateway.Listener());
        byte[] block = RawHttp2Client.Get("/hold?gate=never");
        try
        {
            for (int i = 0; i < 5000; i++)
            {
                int stream = (2 * i) + 1;
                await attacker.SendAsync((byte[])
                [
                    .. RawHttp2Client.Frame(Http2Frame.Headers, RawHttp2Client.EndStream | RawHttp2Client.EndHeaders, stream, block),
                    .. RawHttp2Client.Frame(Http2Frame.RstStream, 0, stream, [0, 0, 0, 8]),
                ]);
            }
        }
        catch (IOException)
        {
            // The gateway has had enough and closed the connection.
        }
        for (int i = 0; i < 5; i++) Assert.Equal(200, (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Status);
        await Eventually.Until("nothing is in flight any more", async () => (await gateway.MetricsAsync()).Sum("gateway_requests_in_flight") == 0 && origin.InFlight == 0);
        Assert.InRange(gateway.Rss - rss, long.MinValue, 150L << 20);
    }

    [Fact]
    public async Task EndlessContinuation_IsCutOff()
    {
        await using RawHttp2Client attacker = await RawHttp2Client.ConnectAsync(site.Gateway.Listener());
        await attacker.SendAsync(Http2Frame.Headers, RawHttp2Client.EndStream, 1, RawHttp2Client.Get());
        byte[] more = RawHttp2Client.Frame(Http2Frame.Continuation, 0, 1, RawHttp2Client.Block(("x", new string('a', 16000))));
        long rss = site.Gateway.Rss;
        _ = await Assert.ThrowsAnyAsync<IOException>(async () =>
        {
            for (int i = 0; i < 20_000; i++) await attacker.SendAsync(more);
        });
        Assert.InRange(site.Gateway.Rss - rss, long.MinValue, 100L << 20);
        Assert.Equal(200, (await RawHttpClient.OnceAsync(site.Gateway.Listener(), Doc.Get())).Status);
    }

    [Fact]
    public async Task PingAndSettingsFloods_DoNotGrowMemory()
    {
        await using RawHttp2Client attacker = await RawHttp2Client.ConnectAsync(site.Gateway.Listener());
        byte[] flood = [.. Enumerable.Repeat((byte[])[.. RawHttp2Client.Frame(Http2Frame.Ping, 0, 0, new byte[8]), .. RawHttp2Client.Frame(Http2Frame.Settings, 0, 0, [])], 500).SelectMany(f => f)];
        long rss = site.Gateway.Rss;
        attacker.SendDeadline = TimeSpan.FromSeconds(3);
        // The attacker never reads: either the gateway closes, or it stops reading. Both end the flood.
        _ = await Record.ExceptionAsync(async () =>
        {
            for (int i = 0; i < 2000; i++) await attacker.SendAsync(flood);
        });
        Assert.InRange(site.Gateway.Rss - rss, long.MinValue, 100L << 20);
        Assert.Equal(200, (await RawHttpClient.OnceAsync(site.Gateway.Listener(), Doc.Get())).Status);
    }
}
