using System.Net;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.DataPlane;

/// <summary>A gateway whose limits are small and round.</summary>
public sealed class LimitedSite : IAsyncLifetime
{
    public HttpOrigin Origin { get; private set; } = null!;
    public GatewayProcess Gateway { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Origin = await HttpOrigin.StartAsync();
        Gateway = await GatewayProcess.StartAsync(Doc.Of(
            routes: $"{Doc.Route("all")}, {Doc.Route("large", Doc.Prefix("/large"), more: "\"bodyBytes\": \"4Ki\"")}, {Doc.Route("open", Doc.Prefix("/open"), more: "\"bodyBytes\": 0")}",
            pools: Doc.Pool("main", Origin.Address),
            listeners: """
                { "name": "web", "address": "127.0.0.1:0", "limits": { "urlBytes": 1000, "headerCount": 20, "headerBytes": "2Ki", "bodyBytes": 1000 } },
                { "name": "few", "address": "127.0.0.1:0", "limits": { "connections": 3 } },
                { "name": "fewEach", "address": "127.0.0.1:0", "limits": { "connectionsPerAddress": 2 } }
                """));
    }

    public async ValueTask DisposeAsync()
    {
        if (Gateway is not null) await Gateway.DisposeAsync();
        if (Origin is not null) await Origin.DisposeAsync();
    }
}

/// <summary>Each limit at the limit, and one beyond: the status, the category, and that the upstream never saw what was refused.</summary>
public sealed class LimitTests(LimitedSite site) : IClassFixture<LimitedSite>
{
    private Uri Web => site.Gateway.Listener();

    private Task<RawResponse> SendAsync(string request) => RawHttpClient.OnceAsync(Web, request);

    private async Task RefusedAsync(string request, int status, string category)
    {
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(Web);
        Problem.Is(await client.RequestAsync(request), status, category);
    }

    [Fact]
    public async Task Url()
    {
        Assert.Equal(200, (await SendAsync(Doc.Get("/" + new string('a', 999)))).Status);
        await RefusedAsync(Doc.Get("/" + new string('a', 1000)), 414, "uri_too_long");
        // Far beyond, the parser itself refuses: no body then.
        Assert.Equal(414, (await SendAsync(Doc.Get("/" + new string('a', 40_000)))).Status);
        using HttpClient h2 = H2Client.Http2(Web);
        Assert.Equal(HttpStatusCode.OK, (await h2.GetAsync("/" + new string('a', 999))).StatusCode);
        await Problem.IsAsync(await h2.GetAsync("/" + new string('a', 1000)), 414, "uri_too_long");
    }

    [Fact]
    public async Task HeaderCount()
    {
        static string Headers(int n) => string.Concat(Enumerable.Range(0, n).Select(i => $"x-{i}: 1\r\n"));
        Assert.Equal(200, (await SendAsync(Doc.Get(headers: Headers(19)))).Status);
        await RefusedAsync(Doc.Get(headers: Headers(20)), 431, "headers_too_large");
    }

    [Fact]
    public async Task HeaderBytes()
    {
        // "Host: gateway.test" CRLF is 20 bytes, "x: " and CRLF 5: at the limit and one beyond.
        Assert.Equal(200, (await SendAsync(Doc.Get(headers: $"x: {new string('v', 2048 - 25)}\r\n"))).Status);
        await RefusedAsync(Doc.Get(headers: $"x: {new string('v', 2048 - 24)}\r\n"), 431, "headers_too_large");
        Assert.Equal(431, (await SendAsync(Doc.Get(headers: $"x: {new string('v', 60_000)}\r\n"))).Status);
        Assert.Equal(200, (await SendAsync(Doc.Get())).Status);
    }

    [Theory]
    [InlineData("/x", 1000)]
    [InlineData("/large", 4096)]
    public async Task BodyWithLength(string path, int limit)
    {
        Assert.Equal(200, (await SendAsync(Doc.Post(path, new string('b', limit)))).Status);
        int before = site.Origin.RequestCount;
        await RefusedAsync(Doc.Post(path, new string('b', limit + 1)), 413, "request_too_large");
        // By its length alone, before a byte of the body is sent.
        await RefusedAsync($"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {limit + 1}\r\n\r\n", 413, "request_too_large");
        Assert.Equal(before, site.Origin.RequestCount);
    }

    [Theory]
    [InlineData("/x", 1000)]
    [InlineData("/large", 4096)]
    public async Task BodyOfUnknownLength(string path, int limit)
    {
        static string Chunked(string path, int size) =>
            $"POST {path} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n200\r\n{new string('b', 512)}\r\n{size - 512:x}\r\n{new string('b', size - 512)}\r\n0\r\n\r\n";
        RawResponse ok = await SendAsync(Chunked(path, limit));
        Assert.Equal((200, limit), (ok.Status, Echo.Parse(ok.Text).BodyLength));
        await RefusedAsync(Chunked(path, limit + 1), 413, "request_too_large");
    }

    [Fact]
    public async Task BodyOverHttp2()
    {
        using HttpClient h2 = H2Client.Http2(Web);
        Assert.Equal(HttpStatusCode.OK, (await h2.PostAsync("/x", new ByteArrayContent(new byte[1000]))).StatusCode);
        await Problem.IsAsync(await h2.PostAsync("/x", new ByteArrayContent(new byte[1001])), 413, "request_too_large");
        using HttpRequestMessage request = H2Client.Request("2.0", HttpMethod.Post, "/x", content: new StreamedContent());
        Task<HttpResponseMessage> sending = h2.SendAsync(request);
        await ((StreamedContent)request.Content!).WriteAsync(new byte[1001]);
        await Problem.IsAsync(await Eventually.Within("the refusal while the body is open", sending), 413, "request_too_large");
        ((StreamedContent)request.Content).Complete();
    }

    [Fact]
    public async Task RouteWithoutBodyLimit_TakesMoreThanTheListenersLimit() =>
        Assert.Equal(200, (await SendAsync(Doc.Post("/open", new string('b', 300_000)))).Status);

    [Theory]
    [InlineData("few", 3)]
    [InlineData("fewEach", 2)]
    public async Task Connections(string listener, int limit)
    {
        Uri address = site.Gateway.Listener(listener);
        var open = new List<RawHttpClient>();
        for (int i = 0; i < limit; i++)
        {
            open.Add(await RawHttpClient.ConnectAsync(address));
            Assert.Equal(200, (await open[i].RequestAsync(Doc.Get())).Status);
        }
        await using (RawHttpClient beyond = await RawHttpClient.ConnectAsync(address))
        {
            try { await beyond.SendAsync(Doc.Get()); }
            catch (IOException) { }
            (WireEnd end, string rest) = await beyond.ReadEndAsync();
            Assert.True(end != WireEnd.Open && rest.Length == 0, $"{end} {rest}");
        }
        foreach (RawHttpClient client in open) Assert.Equal(200, (await client.RequestAsync(Doc.Get())).Status);
        await open[0].DisposeAsync();
        await Eventually.Until("a place is free again", async () =>
        {
            try { return (await RawHttpClient.OnceAsync(address, Doc.Get(headers: "Connection: close\r\n"))).Status == 200; }
            catch (IOException) { return false; }
        });
        foreach (RawHttpClient client in open) await client.DisposeAsync();
    }
}
