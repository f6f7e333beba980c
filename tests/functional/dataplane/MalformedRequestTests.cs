using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.DataPlane;

/// <summary>What could be read in two ways is refused with 400 and a closed connection, and the upstream never sees it.</summary>
public sealed class MalformedRequestTests(MalformedSite site) : IClassFixture<MalformedSite>
{
    public static TheoryData<string, string> Heads => new()
    {
        { "both Content-Length and Transfer-Encoding", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
        { "the same, the other way round", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" },
        { "two different lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab" },
        { "two lengths in one field", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 2\r\n\r\nab" },
        { "negative length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n" },
        { "length in hex", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x1\r\n\r\na" },
        { "length beyond 64 bits", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\na" },
        { "empty length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \r\n\r\n" },
        { "unknown transfer coding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" },
        { "coding that does not end with chunked", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n" },
        { "identity coding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" },
        { "chunked twice", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
        { "chunked with a tab and a suffix", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n" },
        { "Transfer-Encoding on HTTP/1.0", "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
        { "folded header", "GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n folded\r\n\r\n" },
        { "folded header with a tab", "GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n\tfolded\r\n\r\n" },
        { "white space before the first header", "GET / HTTP/1.1\r\n Host: h\r\n\r\n" },
        { "white space before the colon", "GET / HTTP/1.1\r\nHost: h\r\nX-A : 1\r\n\r\n" },
        { "tab before the colon", "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding\t: chunked\r\n\r\n" },
        { "bare LF in the head", "GET / HTTP/1.1\nHost: h\n\n" },
        { "bare LF after a header", "GET / HTTP/1.1\r\nHost: h\nX-A: 1\r\n\r\n" },
        { "bare CR in a value", "GET / HTTP/1.1\r\nHost: h\r\nX-A: a\rb\r\n\r\n" },
        { "NUL in a value", "GET / HTTP/1.1\r\nHost: h\r\nX-A: a\0b\r\n\r\n" },
        { "control character in a value", "GET / HTTP/1.1\r\nHost: h\r\nX-A: a\u0001b\r\n\r\n" },
        { "DEL in a value", "GET / HTTP/1.1\r\nHost: h\r\nX-A: a\u007fb\r\n\r\n" },
        { "header without a colon", "GET / HTTP/1.1\r\nHost: h\r\nnothing\r\n\r\n" },
        { "empty header name", "GET / HTTP/1.1\r\nHost: h\r\n: 1\r\n\r\n" },
        { "separator in a header name", "GET / HTTP/1.1\r\nHost: h\r\nX(A): 1\r\n\r\n" },
        { "byte beyond ASCII in a header name", "GET / HTTP/1.1\r\nHost: h\r\nX\u00e9: 1\r\n\r\n" },
        { "two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" },
        { "two equal Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n" },
        { "no Host", "GET / HTTP/1.1\r\nX-A: 1\r\n\r\n" },
        { "Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n" },
        { "Host with user information", "GET / HTTP/1.1\r\nHost: user@a\r\n\r\n" },
        { "Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n" },
        { "two values in Host", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n" },
        { "no target", "GET HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "space in the target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "control character in the target", "GET /a\u0001b HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "NUL in the target", "GET /a\0b HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "relative target", "GET a HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "encoded NUL in the path", "GET /a%00b HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "separator in the method", "G(T / HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "no method", " / HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "HTTP/1.2 in two digits", "GET / HTTP/1.12\r\nHost: h\r\n\r\n" },
        { "lower-case http", "GET / http/1.1\r\nHost: h\r\n\r\n" },
        { "no version", "GET /\r\nHost: h\r\n\r\n" },
        { "double space in the request line", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "garbage", "\u0016\u0003\u0001\u0002\u0000\u0001\r\n\r\n" },
    };

    [Theory]
    [MemberData(nameof(Heads))]
    public async Task IsRefusedAndTheConnectionClosed(string what, string request)
    {
        int before = site.Origin.RequestCount;
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(site.Gateway.Listener());
        // A request smuggled behind the bad one must not be served either.
        await client.SendAsync(request + Doc.Get("/smuggled"));
        RawResponse? response = await client.ReadHeadAsync();
        Assert.True(response is { Status: 400 or 405 or 505 }, $"{what}: {response}");
        await client.ReadBodyAsync(response);
        (WireEnd end, string rest) = await client.ReadEndAsync();
        Assert.True(end != WireEnd.Open && rest.Length == 0, $"{what}: {end} '{rest}'");
        Assert.True(before == site.Origin.RequestCount, $"{what}: the upstream got {site.Origin.Requests.LastOrDefault()}");
    }

    public static TheoryData<string, string> Chunks => new()
    {
        { "size that is no number", "zz\r\nabc\r\n0\r\n\r\n" },
        { "size with 0x", "0x3\r\nabc\r\n0\r\n\r\n" },
        { "negative size", "-3\r\nabc\r\n0\r\n\r\n" },
        { "size beyond 64 bits", "fffffffffffffffff\r\nabc\r\n0\r\n\r\n" },
        { "size with a leading space", " 3\r\nabc\r\n0\r\n\r\n" },
        { "bare LF after the size", "3\nabc\r\n0\r\n\r\n" },
        { "bare LF in an extension", "3;x\nabc\r\n0\r\n\r\n" },
        { "bare CR in an extension", "3;x\rabc\r\n0\r\n\r\n" },
        { "data longer than its size", "3\r\nabcd\r\n0\r\n\r\n" },
        { "bare LF after the data", "3\r\nabc\n0\r\n\r\n" },
        { "folded trailer", "3\r\nabc\r\n0\r\nX: 1\r\n folded\r\n\r\n" },
    };

    [Theory]
    [MemberData(nameof(Chunks))]
    public async Task BadChunks_AreRefusedAndNothingBehindThemIsServed(string what, string body)
    {
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            string? head = await connection.ReadHeadAsync();
            if (head is null) return;
            _ = await connection.ReadBodyAsync(head);
            if (connection.End == WireEnd.Open) await connection.RespondAsync(200, "whole");
        });
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(site.ChunkGateway.Listener());
        _ = await site.ChunkGateway.ApplyAsync(Doc.Proxy(origin.Address));
        await client.SendAsync("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + body + Doc.Get("/smuggled"));
        RawResponse? response = await client.ReadHeadAsync();
        Assert.True(response is null or { Status: 400 }, $"{what}: {response}");
        if (response is not null) await client.ReadBodyAsync(response);
        (_, string rest) = await client.ReadEndAsync();
        Assert.Equal("", rest);
        Assert.DoesNotContain("/smuggled", origin.ReceivedText);
    }
}

public sealed class MalformedSite : IAsyncLifetime
{
    public HttpOrigin Origin { get; private set; } = null!;
    public GatewayProcess Gateway { get; private set; } = null!;

    /// <summary>Its pool changes from test to test; the tests of one class run one after the other.</summary>
    public GatewayProcess ChunkGateway { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Origin = await HttpOrigin.StartAsync();
        Gateway = await GatewayProcess.StartAsync(Doc.Proxy(Origin.Address));
        ChunkGateway = await GatewayProcess.StartAsync(Doc.Proxy());
    }

    public async ValueTask DisposeAsync()
    {
        if (Gateway is not null) await Gateway.DisposeAsync();
        if (ChunkGateway is not null) await ChunkGateway.DisposeAsync();
        if (Origin is not null) await Origin.DisposeAsync();
    }
}
