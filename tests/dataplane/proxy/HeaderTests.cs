using System.Net;
using System.Text.Json;
using Gateway.Config;
using Gateway.DataPlane.Proxy;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

public sealed class HeaderTests
{
    private static async Task<Echo> EchoOf(string fields, ProxyOptions? options = null, string host = "a.test", string version = "1.1")
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, options);
        RawResponse response = await RawHttpClient.OnceAsync(proxy.Address, $"GET / HTTP/{version}\r\nHost: {host}\r\n{fields}\r\n");
        Assert.True(response.Status == 200, response.ToString());
        return Echo.Parse(response.Text);
    }

    [Fact]
    public async Task HopByHopRequestFields_EndHere()
    {
        Echo echo = await EchoOf("Connection: TE, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nProxy-Authorization: x\r\nTE: gzip\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\nProxy: evil\r\nX-Other: 2\r\n");
        foreach (string gone in new[] { "x-mine", "keep-alive", "proxy-connection", "proxy-authorization", "te", "upgrade", "http2-settings", "proxy", "connection" })
            Assert.Null(echo[gone]);
        Assert.Equal("2", echo["x-other"]);
    }

    [Fact]
    public async Task Connection_CannotNameAwayWhatEveryRecipientNeeds()
    {
        Echo echo = await EchoOf("Connection: host, content-length, x-forwarded-for, x-request-id, forwarded, via, authorization, cookie\r\nAuthorization: secret\r\nCookie: a=b\r\nX-Request-Id: abc\r\n");
        Assert.Equal(("a.test", "secret", "a=b", "abc"), (echo["host"], echo["authorization"], echo["cookie"], echo["x-request-id"]));
        Assert.Equal("127.0.0.1", echo["x-forwarded-for"]);
        Assert.NotNull(echo["forwarded"]);
    }

    [Fact]
    public async Task ForwardingFields_OfAnUntrustedPeer_AreReplaced()
    {
        Echo echo = await EchoOf("X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\nForwarded: for=6.6.6.6\r\nVia: 1.1 other\r\n", host: "a.test:81");
        Assert.Equal(("127.0.0.1", "http", "a.test:81", "81"), (echo["x-forwarded-for"], echo["x-forwarded-proto"], echo["x-forwarded-host"], echo["x-forwarded-port"]));
        Assert.Equal("for=127.0.0.1;host=\"a.test:81\";proto=http", echo["forwarded"]);
        Assert.Equal("1.1 other, 1.1 gateway", echo["via"]);
    }

    [Fact]
    public async Task ForwardingFields_OfATrustedPeer_AreAppendedTo()
    {
        Echo echo = await EchoOf("X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-For: 8.8.8.8\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: first\r\nX-Forwarded-Port: 443\r\nForwarded: for=9.9.9.9\r\n",
            new ProxyOptions { TrustedProxies = ["127.0.0.0/8"] });
        Assert.Equal(("9.9.9.9, 8.8.8.8, 127.0.0.1", "https", "first", "443"), (echo["x-forwarded-for"], echo["x-forwarded-proto"], echo["x-forwarded-host"], echo["x-forwarded-port"]));
        Assert.Equal("for=9.9.9.9, for=127.0.0.1;host=a.test;proto=http", echo["forwarded"]);
    }

    [Theory]
    [InlineData("for=192.0.2.1", "a", "http", "for=192.0.2.1;host=a;proto=http")]
    [InlineData("for=\"[2001:db8::1]\"", "[::1]:80", "https", "for=\"[2001:db8::1]\";host=\"[::1]:80\";proto=https")]
    [InlineData("for=unknown", "", "http", "for=unknown;proto=http")]
    [InlineData("for=1.2.3.4", "a;for=6.6.6.6", "http", "for=1.2.3.4;host=\"a;for=6.6.6.6\";proto=http")]
    [InlineData("for=1.2.3.4", "a\"b\\", "http", "for=1.2.3.4;host=\"a\\\"b\\\\\";proto=http")]
    public void ForwardedElement_QuotesWhatIsNoToken(string forwardedFor, string host, string scheme, string expected) =>
        Assert.Equal(expected, ForwardingHeaders.ForwardedElement(forwardedFor, host, scheme));

    [Theory]
    [InlineData("a", "http", "80")]
    [InlineData("a", "https", "443")]
    [InlineData("a:8080", "https", "8080")]
    [InlineData("[::1]", "http", "80")]
    [InlineData("[::1]:9", "http", "9")]
    [InlineData("", "http", "80")]
    public void ForwardedPort_IsHostsOrTheSchemes(string host, string scheme, string expected) => Assert.Equal(expected, ForwardingHeaders.PortOf(host, scheme));

    [Fact]
    public async Task RequestId_IsKeptWhenWellFormed_AndMadeOtherwise()
    {
        Assert.Equal("abc-DEF_123.~:=+/@", (await EchoOf("X-Request-Id: abc-DEF_123.~:=+/@\r\n"))["x-request-id"]);
        foreach (string bad in new[] { "", "X-Request-Id: \r\n", "X-Request-Id: a b\r\n", "X-Request-Id: a\r\nX-Request-Id: b\r\n", $"X-Request-Id: {new string('a', 129)}\r\n", "X-Request-Id: a\"b\r\n" })
            Assert.Matches("^[0-9a-f]{32}$", (await EchoOf(bad))["x-request-id"]);
    }

    [Fact]
    public void RequestIds_AreDifferent()
    {
        var ids = new RequestIdSource();
        Assert.Equal(10_000, Enumerable.Range(0, 10_000).Select(_ => ids.Next().ToString()).Distinct().Count());
    }

    [Fact]
    public async Task EndToEndFields_GoThroughUnchanged_WithTheirBytes()
    {
        await using RawOrigin origin = RawOrigin.Answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Latin: \u00e9\u00ff\r\nX-Tab: a\tb\r\nSet-Cookie: a=1, b\r\nSet-Cookie: c=2\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: origin\r\n\r\n");
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        RawResponse response = await RawHttpClient.OnceAsync(proxy.Address,
            "GET / HTTP/1.1\r\nHost: a\r\nX-Latin: \u00e9\u00ff\r\nX-Two: 1\r\nX-Two: 2\r\nCookie: a=b; c=d\r\nContent-Type: text/x\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nUser-Agent: x (y) z/1\r\n\r\n");
        string sent = origin.ReceivedText;
        Assert.Contains("X-Latin: \u00e9\u00ff\r\n", sent, StringComparison.Ordinal);
        // As one line or as two, by the engine: they mean the same (RFC 9110 section 5.3).
        Assert.Matches("X-Two: 1(, |\r\nX-Two: )2\r\n", sent);
        Assert.Contains("Cookie: a=b; c=d\r\n", sent, StringComparison.Ordinal);
        Assert.Contains("Content-Type: text/x\r\n", sent, StringComparison.Ordinal);
        Assert.Contains("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n", sent, StringComparison.Ordinal);
        Assert.Contains("User-Agent: x (y) z/1\r\n", sent, StringComparison.Ordinal);
        Assert.Equal("\u00e9\u00ff", response["x-latin"]);
        Assert.Equal("a\tb", response["x-tab"]);
        Assert.Equal(["a=1, b", "c=2"], response.Headers.Where(h => h.Key == "Set-Cookie").Select(h => h.Value));
        Assert.Equal("Thu, 01 Jan 1970 00:00:00 GMT", response["date"]);
        Assert.Equal("origin", response["server"]);
        Assert.Equal("1.1 gateway", response["via"]);
        Assert.Null(response["x-request-id"]);
    }

    [Fact]
    public async Task HopByHopResponseFields_EndHere()
    {
        await using RawOrigin origin = RawOrigin.Answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: X-Mine, content-length\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: x\r\nUpgrade: foo\r\nProxy-Connection: close\r\n\r\n");
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        RawResponse response = await RawHttpClient.OnceAsync(proxy.Address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        foreach (string gone in new[] { "connection", "x-mine", "keep-alive", "proxy-authenticate", "upgrade", "proxy-connection" }) Assert.Null(response[gone]);
        Assert.Equal("0", response["content-length"]);
    }

    [Fact]
    public async Task HostAndCookies_OfAnHttp2Client_ArriveAsOne()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        using HttpClient client = H2Client.Http2(proxy.Http2Address);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/") { Headers = { Host = "b.test" }, Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        request.Headers.Add("Cookie", ["a=1", "b=2"]);
        string answer = await (await client.SendAsync(request)).Content.ReadAsStringAsync();
        Assert.True(answer.StartsWith('{'), answer + proxy.Log.Errors.FirstOrDefault());
        Echo echo = Echo.Parse(answer);
        Assert.Equal(("b.test", "a=1; b=2", "2 gateway"), (echo["host"], echo["cookie"], echo["via"]));
    }

    [Fact]
    public async Task TeTrailers_IsKept()
    {
        await using RawOrigin origin = RawOrigin.Answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await RawHttpClient.OnceAsync(proxy.Address, "GET / HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nTE: gzip;q=0.5, trailers;q=0.9\r\n\r\n");
        Assert.Contains("\r\nTE: trailers\r\n", origin.ReceivedText, StringComparison.Ordinal);
        Assert.Contains("\r\nConnection: TE\r\n", origin.ReceivedText, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Http10Client_GetsNoChunks()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        RawResponse response = await RawHttpClient.OnceAsync(proxy.Address, "GET /bytes/100000?chunked=1 HTTP/1.0\r\nTE: trailers\r\n\r\n");
        Assert.Equal((200, null, BodyEnd.Close, 100_000), (response.Status, response["transfer-encoding"], response.End, response.Body.Length));
        Assert.Equal(origin.Address, origin.LastRequest["host"]);
    }
}
