using System.Net;
using System.Text.RegularExpressions;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.DataPlane;

/// <summary>A request goes to the upstream and the answer back, with exactly the changes that a proxy owes.</summary>
public sealed partial class ForwardingTests(Site site) : IClassFixture<Site>
{
    private async Task<Echo> EchoAsync(string request)
    {
        RawResponse response = await RawHttpClient.OnceAsync(site.Web, request);
        Assert.True(response is { Status: 200, IsWhole: true }, $"{response}\n{site.Gateway.Logs()}");
        return Echo.Parse(response.Text);
    }

    [Theory]
    [InlineData("1.1", "h1.test", "HTTP/1.1")]
    [InlineData("1.1", "h2c.test", "HTTP/2")]
    [InlineData("2.0", "h1.test", "HTTP/1.1")]
    [InlineData("2.0", "h2c.test", "HTTP/2")]
    public async Task EveryVersionToEveryUpstream_PassesMethodTargetHeadersAndBody(string version, string host, string upstreamProtocol)
    {
        using HttpRequestMessage request = H2Client.Request(version, HttpMethod.Put, "/path/x?q=1&q=2", host, new StringContent("the body"));
        request.Headers.Add("x-custom", "value");
        using HttpResponseMessage response = await (version == "2.0" ? site.Http2 : site.Http1).SendAsync(request);
        Assert.Equal(Version.Parse(version), response.Version);
        Echo echo = Echo.Parse(await response.Content.ReadAsStringAsync());
        Assert.Equal(("PUT", "/path/x?q=1&q=2", "the body", "value", upstreamProtocol), (echo.Method, echo.Target, echo.Body, echo["x-custom"], echo.Protocol));
        Assert.Equal(site.OriginOf(host).Id, response.Headers.GetValues("x-origin").Single());
        Assert.Equal(host, echo["host"]);
    }

    [Theory]
    [InlineData("/a%2Fb")]
    [InlineData("/a//b///c")]
    [InlineData("/a/../b/./c")]
    [InlineData("/x?")]
    [InlineData("/x?a=%20+&b=c%2fd&&=")]
    [InlineData("/%E2%82%AC/%7Euser/~user")]
    [InlineData("/semi;v=1,2/a=b:c@d")]
    [InlineData("/quote'(paren)!*$&")]
    [InlineData("/curly{x}|pipe?y=\"z\"")]
    public async Task RawTarget_ReachesTheUpstreamByteForByte(string target)
    {
        Assert.Equal(target, (await EchoAsync(Doc.Get(target, "h1.test"))).Target);
        Assert.Equal(target, (await EchoAsync(Doc.Get(target, "h2c.test"))).Target);
    }

    [Fact]
    public async Task AbsoluteForm_TakesTheHostFromTheTarget()
    {
        Echo echo = await EchoAsync("GET http://h2c.test/abs?x=1 HTTP/1.1\r\nHost: h2c.test\r\n\r\n");
        Assert.Equal(("h2c", "/abs?x=1", "h2c.test"), (echo.Origin, echo.Target, echo["host"]));
        // RFC 9112 section 3.2.2: another Host beside it is ignored, and not forwarded.
        echo = await EchoAsync("GET http://h2c.test/abs HTTP/1.1\r\nHost: other.test\r\n\r\n");
        Assert.Equal(("h2c", "h2c.test"), (echo.Origin, echo["host"]));
    }

    [Fact]
    public async Task OptionsAsterisk_IsAboutTheGatewayItself()
    {
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(site.Web);
        RawResponse response = await client.RequestAsync("OPTIONS * HTTP/1.1\r\nHost: h1.test\r\n\r\n");
        Assert.Equal((200, "0"), (response.Status, response["content-length"]));
    }

    [Theory]
    [InlineData("PURGE")]
    [InlineData("PATCH")]
    [InlineData("M-SEARCH")]
    [InlineData("QUERY")]
    public async Task UncommonMethods_ArePassed(string method) =>
        Assert.Equal(method, (await EchoAsync(Doc.Get("/m", "h1.test", method: method))).Method);

    [Theory]
    [InlineData("h1.test")]
    [InlineData("h2c.test")]
    public async Task HopByHopRequestHeaders_AreNotForwarded(string host)
    {
        Echo echo = await EchoAsync(Doc.Get("/", host,
            "Connection: keep-alive, X-Secret, close\r\nX-Secret: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n" +
            "Proxy-Authorization: Basic x\r\nTE: gzip, trailers\r\nTrailer: x-t\r\nUpgrade: foo\r\nX-Kept: 1\r\n"));
        foreach (string gone in (string[])["x-secret", "keep-alive", "proxy-connection", "upgrade", "transfer-encoding"])
            Assert.True(echo[gone] is null, $"{gone}: {echo[gone]}");
        Assert.Equal("1", echo["x-kept"]);
        Assert.Contains(echo["te"], (string?[])["trailers", null]);
        Assert.DoesNotContain("x-secret", echo["connection"] ?? "", StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task TeTrailers_IsKeptForHttp2Upstreams() =>
        Assert.Equal("trailers", (await EchoAsync(Doc.Get("/", "h2c.test", "TE: trailers\r\nConnection: TE\r\n")))["te"]);

    [Fact]
    public async Task ForwardedHeadersOfStrangers_AreReplaced()
    {
        Echo echo = await EchoAsync(Doc.Get("/", "h1.test:81",
            "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 666\r\nForwarded: for=6.6.6.6\r\n"));
        Assert.Equal(("127.0.0.1", "http", "h1.test:81"), (echo["x-forwarded-for"], echo["x-forwarded-proto"], echo["x-forwarded-host"]));
        Assert.NotEqual("666", echo["x-forwarded-port"]);
        Assert.Contains("for=127.0.0.1", echo["forwarded"]);
        Assert.DoesNotContain("6.6.6.6", echo["forwarded"]);
        Assert.Contains("proto=http", echo["forwarded"]);
    }

    [Fact]
    public async Task Via_IsAppended()
    {
        Echo echo = await EchoAsync(Doc.Get("/", "h1.test", "Via: 1.0 before\r\n"));
        Assert.Matches("^1.0 before, ?1.1 [^ ]+$", echo["via"]);
    }

    [Fact]
    public async Task RequestId_IsMadeWhenAbsentOrMalformedAndKeptWhenWellFormed()
    {
        string? made = (await EchoAsync(Doc.Get("/", "h1.test")))["x-request-id"];
        Assert.False(string.IsNullOrEmpty(made));
        Assert.NotEqual(made, (await EchoAsync(Doc.Get("/", "h1.test")))["x-request-id"]);
        Assert.Equal("abc-123.DEF_4", (await EchoAsync(Doc.Get("/", "h1.test", "X-Request-Id: abc-123.DEF_4\r\n")))["x-request-id"]);
        foreach (string bad in (string[])["a b", "<script>", new string('x', 1000), "a\"b"])
            Assert.NotEqual(bad, (await EchoAsync(Doc.Get("/", "h1.test", $"X-Request-Id: {bad}\r\n")))["x-request-id"]);
    }

    [Fact]
    public async Task HeadResponse_KeepsContentLengthAndHasNoBody()
    {
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(site.Web);
        RawResponse head = await client.RequestAsync(Doc.Get("/bytes/1234", "h1.test", method: "HEAD"));
        Assert.Equal((200, "1234"), (head.Status, head["content-length"]));
        // The next answer on the connection starts right after: no body bytes were sent.
        Assert.Equal(5, (await client.RequestAsync(Doc.Get("/bytes/5", "h1.test"))).Body.Length);
    }

    [Theory]
    [InlineData(204)]
    [InlineData(304)]
    public async Task BodylessStatuses_LeaveTheConnectionInStep(int status)
    {
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(site.Web);
        Assert.Equal(status, (await client.RequestAsync(Doc.Get($"/status/{status}", "h1.test"))).Status);
        Assert.Equal("abc"[..1], Echo.Parse((await client.RequestAsync(Doc.Post("/x", "a", "h1.test"))).Text).Body);
    }

    [Fact]
    public async Task EveryStatusOfTheUpstream_IsPassedAsItIs()
    {
        foreach (int status in (int[])[200, 201, 206, 301, 302, 400, 401, 404, 418, 429, 500, 502, 503, 504, 599])
            Assert.Equal(status, (await RawHttpClient.OnceAsync(site.Web, Doc.Get($"/status/{status}", "h1.test"))).Status);
    }

    [Fact]
    public async Task SeveralSetCookies_StaySeparate()
    {
        RawResponse response = await RawHttpClient.OnceAsync(site.Web, Doc.Get("/headers?set-cookie=a%3D1%3B%20Path%3D/&set-cookie=b%3D2,x", "h1.test"));
        Assert.Equal(["a=1; Path=/", "b=2,x"], response.Headers.Where(h => h.Key.Equals("set-cookie", StringComparison.OrdinalIgnoreCase)).Select(h => h.Value));
    }

    [Fact]
    public async Task CompressedBodies_PassUntouched()
    {
        Echo echo = await EchoAsync(Doc.Get("/", "h1.test", "Accept-Encoding: gzip, br\r\n"));
        Assert.Equal("gzip, br", echo["accept-encoding"]);
        Assert.Null((await EchoAsync(Doc.Get("/", "h1.test")))["accept-encoding"]);
    }

    [Fact]
    public async Task UserAgent_IsNotInvented()
    {
        Assert.Null((await EchoAsync(Doc.Get("/", "h1.test")))["user-agent"]);
        Assert.Null((await EchoAsync(Doc.Get("/", "h1.test")))["traceparent"]);
    }

    [Fact]
    public async Task ChunkedUpload_ArrivesWholeWithoutALength()
    {
        Echo echo = await EchoAsync("POST /c HTTP/1.1\r\nHost: h1.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\n\r\n");
        Assert.Equal(("abcdefg", "chunked", null), (echo.Body, echo["transfer-encoding"], echo["content-length"]));
    }

    [Fact]
    public async Task RequestWithoutBody_HasNoFramingHeadersUpstream()
    {
        Echo echo = await EchoAsync(Doc.Get("/", "h1.test"));
        Assert.Equal((null, null), (echo["content-length"], echo["transfer-encoding"]));
    }

    [Fact]
    public async Task PostWithEmptyBody_KeepsContentLengthZero() =>
        Assert.Equal("0", (await EchoAsync(Doc.Post("/", "", "h1.test")))["content-length"]);

    [Fact]
    public async Task KeepAlive_ServesManyRequestsOnOneConnectionAndPipelinedOnesInOrder()
    {
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(site.Web);
        await client.SendAsync(string.Concat(Enumerable.Range(0, 20).Select(i => Doc.Get($"/n/{i}", i % 2 == 0 ? "h1.test" : "h2c.test"))));
        for (int i = 0; i < 20; i++)
        {
            Echo echo = Echo.Parse((await client.ReadResponseAsync()).Text);
            Assert.Equal(($"/n/{i}", i % 2 == 0 ? "h1" : "h2c"), (echo.Target, echo.Origin));
        }
    }

    [Fact]
    public async Task ConnectionClose_IsHonoured()
    {
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(site.Web);
        RawResponse response = await client.RequestAsync(Doc.Get("/", "h1.test", "Connection: close\r\n"));
        Assert.Equal("close", response["connection"]);
        Assert.Equal(WireEnd.Closed, (await client.ReadEndAsync()).End);
    }

    [Fact]
    public async Task Http10Client_GetsAnAnswerThatEndsWithTheConnection()
    {
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(site.Web);
        RawResponse response = await client.RequestAsync("GET /bytes/100000?chunked=1 HTTP/1.0\r\nHost: h1.test\r\n\r\n");
        Assert.Equal((200, 100000), (response.Status, response.Body.Length));
        Assert.Null(response["transfer-encoding"]);
        Assert.Equal(BodyEnd.Close, response.End);
    }

    [Theory]
    [InlineData(200)]
    [InlineData(4000)]
    public async Task LargeResponseHeaders_ArePassed(int size)
    {
        string value = new('v', size);
        RawResponse response = await RawHttpClient.OnceAsync(site.Web, Doc.Get($"/headers?x-large={value}", "h1.test"));
        Assert.Equal(value, response["x-large"]);
    }

    [Fact]
    public async Task NonAsciiHeaderBytes_PassAsTheyCame()
    {
        await using RawOrigin origin = RawOrigin.Answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Latin: caf\u00e9\r\nX-Utf8: \u00c3\u00a9\r\n\r\nok");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(origin.Address));
        RawResponse response = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get(headers: "X-Utf8: \u00c3\u00a9\r\n"));
        Assert.Equal(("caf\u00e9", "\u00c3\u00a9"), (response["x-latin"], response["x-utf8"]));
        Assert.Contains("X-Utf8: \u00c3\u00a9\r\n", origin.ReceivedText, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task NoRoute_Is404WithProblemDetails()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Doc.Route("only", Doc.Host("only.test")), Doc.Pool("main", site.H1.Address)));
        Problem.Is(await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get(host: "other.test")), 404, "no_route");
        using HttpClient h2 = H2Client.Http2(gateway.Listener());
        await Problem.IsAsync(await h2.GetAsync("/"), 404, "no_route");
    }

    [Fact]
    public async Task EmptyPool_Is503NoEndpoint()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy());
        Problem.Is(await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get()), 503, "no_endpoint");
    }

    [Fact]
    public async Task ProxyOfTheEnvironment_IsIgnored()
    {
        await using RawOrigin proxy = RawOrigin.Answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(site.H1.Address), new GatewayProcessOptions
        {
            Environment = new Dictionary<string, string> { ["HTTP_PROXY"] = $"http://{proxy.Address}", ["http_proxy"] = $"http://{proxy.Address}", ["ALL_PROXY"] = $"http://{proxy.Address}" },
        });
        Assert.Equal("h1", Echo.Parse((await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Text).Origin);
        Assert.Equal(0, proxy.ConnectionCount);
    }

    [Fact]
    public async Task TrustedProxy_IsAppendedTo()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Doc.Route("all"), Doc.Pool("main", site.H1.Address),
            """{ "name": "web", "address": "127.0.0.1:0", "trustedProxies": ["127.0.0.0/8"] }"""));
        Echo echo = Echo.Parse((await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/", "in.test",
            "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: outer.test\r\nX-Forwarded-Port: 443\r\nForwarded: for=203.0.113.7;proto=https\r\n"))).Text);
        Assert.Matches(@"^203\.0\.113\.7, ?127\.0\.0\.1$", echo["x-forwarded-for"]);
        Assert.Equal(("https", "outer.test", "443"), (echo["x-forwarded-proto"], echo["x-forwarded-host"], echo["x-forwarded-port"]));
        Assert.Matches("^for=203.0.113.7;proto=https, ?for=127.0.0.1", echo["forwarded"]);
    }

    [Fact]
    public async Task HopByHopResponseHeaders_AreNotForwarded()
    {
        await using RawOrigin origin = RawOrigin.Answering(
            "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nConnection: X-Inner\r\nX-Inner: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nUpgrade: foo\r\nX-Outer: 2\r\n\r\nok");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(origin.Address));
        RawResponse response = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get());
        Assert.Equal((200, "ok", "2"), (response.Status, response.Text, response["x-outer"]));
        foreach (string gone in (string[])["x-inner", "keep-alive", "upgrade"]) Assert.Null(response[gone]);
        using HttpClient h2 = H2Client.Http2(gateway.Listener());
        using HttpResponseMessage second = await h2.GetAsync("/");
        Assert.Equal("2", second.Headers.GetValues("x-outer").Single());
        Assert.False(second.Headers.Contains("x-inner"));
    }

    [Fact]
    public async Task Http11Trailers_AreRelayedBothWays()
    {
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            while (await connection.ReadHeadAsync() is { } head)
            {
                _ = await connection.ReadBodyAsync(head);
                await connection.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 99\r\n\r\n");
            }
        });
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(origin.Address));
        RawResponse response = await RawHttpClient.OnceAsync(gateway.Listener(),
            "POST / HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nConnection: TE\r\nTransfer-Encoding: chunked\r\nTrailer: X-Req\r\n\r\n1\r\nx\r\n0\r\nX-Req: 77\r\n\r\n");
        Assert.Equal(BodyEnd.LastChunk, response.End);
        Assert.Contains(response.Trailers, t => t.Key.Equals("X-Sum", StringComparison.OrdinalIgnoreCase) && t.Value == "99");
        using HttpClient h2 = H2Client.Http2(gateway.Listener());
        using HttpResponseMessage second = await h2.PostAsync("/", new StringContent("x"));
        Assert.Equal("abc", await second.Content.ReadAsStringAsync());
        Assert.Equal("99", second.TrailingHeaders.GetValues("x-sum").Single());
    }

    [Fact]
    public async Task Http2Trailers_AreRelayedToBothVersions()
    {
        RawResponse response = await RawHttpClient.OnceAsync(site.Web, Doc.Get("/trailers", "h2c.test", "TE: trailers\r\nConnection: TE\r\n"));
        Assert.Equal(("body", BodyEnd.LastChunk), (response.Text, response.End));
        Assert.Contains(response.Trailers, t => t.Key.Equals("x-checksum", StringComparison.OrdinalIgnoreCase) && t.Value == "abc123");
        using HttpRequestMessage request = H2Client.Request("2.0", HttpMethod.Get, "/trailers", "h2c.test");
        using HttpResponseMessage second = await site.Http2.SendAsync(request);
        Assert.Equal("body", await second.Content.ReadAsStringAsync());
        Assert.Equal("abc123", second.TrailingHeaders.GetValues("x-checksum").Single());
    }

    [Fact]
    public async Task Expect100Continue_IsAnsweredBeforeTheBodyIsSent()
    {
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(site.Web);
        await client.SendAsync("POST /sink HTTP/1.1\r\nHost: h1.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
        RawResponse interim = (await client.ReadHeadAsync(stopAtInterim: true))!;
        Assert.Equal(100, interim.Status);
        await client.SendAsync("hello");
        Assert.StartsWith("5 ", (await client.ReadResponseAsync()).Text);
    }

    [Fact]
    public async Task InterimResponsesOfTheUpstream_DoNotDisturbTheFinalOne()
    {
        await using RawOrigin origin = RawOrigin.Answering(
            "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfinal");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(origin.Address));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        for (int i = 0; i < 3; i++) Assert.Equal("final", (await client.RequestAsync(Doc.Get())).Text);
    }

    [Fact]
    public async Task UpstreamConnections_AreReused()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(origin.Address));
        for (int i = 0; i < 20; i++) Assert.Equal(200, (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Post("/", "x"))).Status);
        // One on each event loop that a client happened to be on.
        Assert.InRange(origin.ConnectionCount, 1, Environment.ProcessorCount);
    }

    [Fact]
    public async Task CookieCrumbsOfHttp2_AreJoinedForHttp1()
    {
        using HttpRequestMessage request = H2Client.Request("2.0", HttpMethod.Get, "/", "h1.test");
        _ = request.Headers.TryAddWithoutValidation("Cookie", ["a=1", "b=2"]);
        Echo echo = Echo.Parse(await (await site.Http2.SendAsync(request)).Content.ReadAsStringAsync());
        Assert.Matches(CrumbsJoined(), echo["cookie"]);
    }

    [GeneratedRegex("^a=1; ?b=2$")]
    private static partial Regex CrumbsJoined();
}
