using System.Net;
using System.Text.Json;
using Gateway.Config;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

public sealed class ErrorTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    private static void AssertProblem(RawResponse response, int status, string category, string proxyStatus)
    {
        Assert.True(response.Status == status, response.ToString());
        Assert.Equal("application/problem+json", response["content-type"]);
        using var json = JsonDocument.Parse(response.Text);
        JsonElement problem = json.RootElement;
        Assert.Equal("urn:gateway:" + category, problem.GetProperty("type").GetString());
        Assert.Equal(category, problem.GetProperty("category").GetString());
        Assert.Equal(status, problem.GetProperty("status").GetInt32());
        Assert.NotEmpty(problem.GetProperty("title").GetString()!);
        Assert.NotEmpty(problem.GetProperty("detail").GetString()!);
        Assert.Equal(response["x-request-id"], problem.GetProperty("requestId").GetString());
        Assert.Equal("gateway; error=" + proxyStatus, response["proxy-status"]);
    }

    [Fact]
    public async Task UnableToConnect_Returns502()
    {
        await using ProxyHost proxy = await ProxyHost.StartAsync(RawOrigin.RefusedAddress());
        RawResponse response = await RawHttpClient.OnceAsync(proxy.Address, "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\n\r\n");
        AssertProblem(response, 502, "upstream_connect_failed", "connection_refused");
        Assert.Equal("mine", response["x-request-id"]);
        Assert.DoesNotContain("127.0.0.1", response.ToString(), StringComparison.Ordinal);
        Assert.Equal((0, 0), (proxy.InFlight, proxy.UpstreamInFlight));
    }

    [Fact]
    public async Task UnresolvableName_Returns502()
    {
        await using ProxyHost proxy = await ProxyHost.StartAsync("no-such-name.invalid:80");
        AssertProblem(await RawHttpClient.OnceAsync(proxy.Address, Get), 502, "upstream_connect_failed", "connection_refused");
    }

    [Fact]
    public async Task ConnectThatTakesTooLong_Returns502()
    {
        // An address of the documentation range answers nothing, or the network refuses it: both are a failed connect.
        await using ProxyHost proxy = await ProxyHost.StartAsync("192.0.2.1:81", new ProxyOptions { Connect = TimeSpan.FromMilliseconds(50) });
        AssertProblem(await RawHttpClient.OnceAsync(proxy.Address, Get), 502, "upstream_connect_failed", "connection_refused");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task PoolWithNothingToChoose_Returns503(int endpoints)
    {
        await using ProxyHost proxy = await ProxyHost.StartAsync(endpoints == 0 ? [] : ["127.0.0.1:1"], new ProxyOptions { Weights = [0] });
        AssertProblem(await RawHttpClient.OnceAsync(proxy.Address, Get), 503, "no_endpoint", "destination_unavailable");
    }

    [Fact]
    public async Task NoRoute_Returns404()
    {
        await using ProxyHost proxy = await ProxyHost.StartAsync(RawOrigin.RefusedAddress(), new ProxyOptions { OnlyHost = "other" });
        AssertProblem(await RawHttpClient.OnceAsync(proxy.Address, Get), 404, "no_route", "destination_not_found");
        RawResponse head = await RawHttpClient.OnceAsync(proxy.Address, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.Equal((404, BodyEnd.NoBody), (head.Status, head.End));
        Assert.NotEqual("0", head["content-length"]);
    }

    [Fact]
    public async Task ConnectionKeptAlive_AfterAnError_ServesTheNextRequest()
    {
        await using ProxyHost proxy = await ProxyHost.StartAsync(RawOrigin.RefusedAddress());
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        RawResponse first = await client.RequestAsync("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
        RawResponse second = await client.RequestAsync(Get);
        Assert.Equal((502, 502), (first.Status, second.Status));
        Assert.NotEqual(first["x-request-id"], second["x-request-id"]);
    }

    [Fact]
    public async Task UpstreamThatDiesBeforeTheHead_Returns502()
    {
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            connection.Reset();
        });
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        AssertProblem(await RawHttpClient.OnceAsync(proxy.Address, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"), 502, "upstream_reset", "connection_terminated");
        await Eventually.Until("nothing is in flight any more", () => proxy.InFlight == 0);
    }

    [Fact]
    public async Task Url_AtTheLimit_IsServed_AndOneBeyondIs414()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { UrlBytes = 300 });
        Assert.Equal(200, (await RawHttpClient.OnceAsync(proxy.Address, $"GET /{new string('a', 299)} HTTP/1.1\r\nHost: a\r\n\r\n")).Status);
        AssertProblem(await RawHttpClient.OnceAsync(proxy.Address, $"GET /{new string('a', 300)} HTTP/1.1\r\nHost: a\r\n\r\n"), 414, "uri_too_long", "http_request_error");
    }

    [Fact]
    public async Task HeaderCount_AtTheLimit_IsServed_AndOneBeyondIs431()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { HeaderCount = 10 });
        string Fields(int n) => string.Concat(Enumerable.Range(0, n).Select(i => $"X-{i / 2}: {i}\r\n"));
        Assert.Equal(200, (await RawHttpClient.OnceAsync(proxy.Address, $"GET / HTTP/1.1\r\nHost: a\r\n{Fields(9)}\r\n")).Status);
        AssertProblem(await RawHttpClient.OnceAsync(proxy.Address, $"GET / HTTP/1.1\r\nHost: a\r\n{Fields(10)}\r\n"), 431, "headers_too_large", "http_request_error");
    }

    [Fact]
    public async Task HeaderBytes_AtTheLimit_AreServed_AndOneBeyondIs431()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { HeaderBytes = 1024 });
        int rest = 1024 - "Host: a\r\n".Length - "X: \r\n".Length;
        Assert.Equal(200, (await RawHttpClient.OnceAsync(proxy.Address, $"GET / HTTP/1.1\r\nHost: a\r\nX: {new string('a', rest)}\r\n\r\n")).Status);
        AssertProblem(await RawHttpClient.OnceAsync(proxy.Address, $"GET / HTTP/1.1\r\nHost: a\r\nX: {new string('a', rest + 1)}\r\n\r\n"), 431, "headers_too_large", "http_request_error");
    }

    [Theory]
    [InlineData(100, null)]
    [InlineData(5, 100L)]
    public async Task Body_AtTheLimit_IsServed_AndOneBeyondIs413(long listener, long? route)
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { BodyBytes = listener, RouteBodyBytes = route });
        string Sized(int n) => $"POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: {n}\r\n\r\n{new string('a', n)}";
        string Chunked(int n) => $"POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{n - 1:x}\r\n{new string('a', n - 1)}\r\n1\r\na\r\n0\r\n\r\n";
        Assert.Equal(200, (await RawHttpClient.OnceAsync(proxy.Address, Sized(100))).Status);
        Assert.Equal(200, (await RawHttpClient.OnceAsync(proxy.Address, Chunked(100))).Status);
        int before = origin.RequestCount;
        AssertProblem(await RawHttpClient.OnceAsync(proxy.Address, Sized(101)), 413, "request_too_large", "http_request_error");
        Assert.Equal(before, origin.RequestCount);
        AssertProblem(await RawHttpClient.OnceAsync(proxy.Address, Chunked(101)), 413, "request_too_large", "http_request_error");
        await Eventually.Until("nothing is in flight any more", () => proxy.InFlight == 0);
    }

    [Fact]
    public async Task GrpcRequest_GetsItsErrorAsTrailersOnly()
    {
        await using ProxyHost proxy = await ProxyHost.StartAsync(RawOrigin.RefusedAddress(), new ProxyOptions { Protocol = UpstreamProtocol.Grpc });
        using HttpMessageInvoker client = GrpcCall.Client();
        await using GrpcCall call = GrpcCall.Start(client, proxy.Http2Address, "/test.Echo/Unary");
        call.CompleteRequests();
        GrpcEnd end = await call.EndAsync();
        HttpResponseMessage response = await call.ResponseAsync();
        Assert.Equal((HttpStatusCode.OK, 14, true), (response.StatusCode, end.Status, end.InHeaders));
        Assert.Equal("application/grpc", response.Content.Headers.ContentType?.ToString());
        Assert.Equal("The%20upstream%20could%20not%20be%20connected%20to.", end.Message);
        Assert.True(response.Headers.Contains("X-Request-Id"));
    }

    [Fact]
    public async Task Metrics_CountEachRequestOnce_WithItsCategory()
    {
        await using ProxyHost proxy = await ProxyHost.StartAsync(RawOrigin.RefusedAddress());
        for (int i = 0; i < 3; i++) await RawHttpClient.OnceAsync(proxy.Address, Get);
        await Eventually.Until("three are recorded", () => proxy.RouteTotal() == 3);
        Assert.Contains("category=\"upstream_connect_failed\"} 3", proxy.Scrape(), StringComparison.Ordinal);
        Assert.Contains("result=\"upstream_connect_failed\"} 3", proxy.Scrape(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(200, "text/plain", "hi", "2")]
    [InlineData(204, null, "", null)]
    [InlineData(503, "text/plain", "back soon", "9")]
    public async Task RespondRoute_AnswersItself(int status, string? type, string body, string? length)
    {
        await using ProxyHost proxy = await ProxyHost.StartAsync(RawOrigin.RefusedAddress(), new ProxyOptions
        {
            Route = new RouteConfig { Name = "r", Respond = new RespondConfig { Status = status, Body = body, ContentType = "text/plain" } },
        });
        RawResponse response = await RawHttpClient.OnceAsync(proxy.Address, Get);
        Assert.Equal((status, type, body, length), (response.Status, response["content-type"], response.Text, response["content-length"]));
        Assert.Equal(length, (await RawHttpClient.OnceAsync(proxy.Address, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"))["content-length"]);
    }

    public static TheoryData<string, RedirectConfig, string> Redirects => new()
    {
        { "a:8080", new RedirectConfig { Host = "b" }, "http://b:8080/x%2F?q=1" },
        { "a:8080", new RedirectConfig { Scheme = "https" }, "https://a/x%2F?q=1" },
        { "a", new RedirectConfig { Scheme = "https", Port = 8443, Status = 308 }, "https://a:8443/x%2F?q=1" },
        { "a:80", new RedirectConfig { Scheme = "https", Port = 443 }, "https://a/x%2F?q=1" },
        { "[::1]:81", new RedirectConfig { Path = "/new" }, "http://[::1]:81/new?q=1" },
        { "[::1]", new RedirectConfig { Port = 99 }, "http://[::1]:99/x%2F?q=1" },
        { "a", new RedirectConfig { Host = "::2" }, "http://[::2]/x%2F?q=1" },
    };

    [Theory]
    [MemberData(nameof(Redirects))]
    public async Task RedirectRoute_KeepsWhatItDoesNotReplace(string host, RedirectConfig redirect, string location)
    {
        await using ProxyHost proxy = await ProxyHost.StartAsync(RawOrigin.RefusedAddress(), new ProxyOptions { Route = new RouteConfig { Name = "r", Redirect = redirect } });
        RawResponse response = await RawHttpClient.OnceAsync(proxy.Address, $"GET /x%2F?q=1 HTTP/1.1\r\nHost: {host}\r\n\r\n");
        Assert.Equal((redirect.Status, location), (response.Status, response["location"]));
    }
}
