using System.Net;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.DataPlane;

/// <summary>One table that exercises every part of the precedence, seen from outside; the router's own tests go into every corner.</summary>
public sealed class RoutingSite : IAsyncLifetime
{
    public HttpOrigin Origin { get; private set; } = null!;
    public GatewayProcess Gateway { get; private set; } = null!;

    private static string Answering(string name, string match, string listeners = "") =>
        $$"""{ "name": "{{name}}", {{listeners}} "match": { {{match}} }, "respond": { "status": 200, "body": "{{name}}" } }""";

    public async ValueTask InitializeAsync()
    {
        Origin = await HttpOrigin.StartAsync();
        Gateway = await GatewayProcess.StartAsync(Doc.Of(
            routes: string.Join(", ",
                Answering("any", ""),
                Answering("prefix", Doc.Prefix("/api")),
                Answering("longer-prefix", Doc.Prefix("/api/v2")),
                Answering("exact", Doc.Exact("/api/v2")),
                Answering("regex", "\"path\": { \"regex\": \"^/r[0-9]+/\" }"),
                Answering("wild", "\"hosts\": [\"*.example.test\"]"),
                Answering("longer-wild", "\"hosts\": [\"*.a.example.test\"]"),
                Answering("host", Doc.Host("x.a.example.test")),
                Answering("post", Doc.Host("m.test") + ", \"methods\": [\"POST\"]"),
                Answering("m-any", Doc.Host("m.test")),
                Answering("one-header", Doc.Host("h.test") + ", \"headers\": [{ \"name\": \"x-beta\", \"value\": \"1\" }]"),
                Answering("two-headers", Doc.Host("h.test") + ", \"headers\": [{ \"name\": \"x-beta\", \"value\": \"1\" }, { \"name\": \"x-more\", \"regex\": \"^[a-c]+$\" }]"),
                Answering("no-header", Doc.Host("h.test") + ", \"headers\": [{ \"name\": \"x-beta\", \"present\": false }]"),
                Answering("query-value", Doc.Host("q.test") + ", \"query\": [{ \"name\": \"q\", \"value\": \"a b\" }]"),
                Answering("query", Doc.Host("q.test") + ", \"query\": [{ \"name\": \"q\", \"present\": true }]"),
                Answering("second-listener", Doc.Host("l.test"), "\"listeners\": [\"second\"],"),
                """{ "name": "moved", "match": { "hosts": ["old.test"] }, "redirect": { "host": "new.test", "status": 301 } }""",
                """{ "name": "to-https", "match": { "hosts": ["plain.test"] }, "redirect": { "scheme": "https", "port": 8443, "path": "/login" } }""",
                """{ "name": "down", "match": { "path": { "exact": "/down" } }, "respond": { "status": 503, "body": "back soon", "contentType": "text/plain" } }"""),
            pools: Doc.Pool("main", Origin.Address),
            listeners: """{ "name": "web", "address": "127.0.0.1:0" }, { "name": "second", "address": "127.0.0.1:0" }"""));
    }

    public async ValueTask DisposeAsync()
    {
        if (Gateway is not null) await Gateway.DisposeAsync();
        if (Origin is not null) await Origin.DisposeAsync();
    }
}

public sealed class RoutingTests(RoutingSite site) : IClassFixture<RoutingSite>
{
    [Theory]
    [InlineData("any", "x.test", "/")]
    [InlineData("any", "x.test", "/apifoo")]
    [InlineData("any", "x.test", "/API")]
    [InlineData("prefix", "x.test", "/api")]
    [InlineData("prefix", "x.test", "/api/")]
    [InlineData("prefix", "x.test", "/api/v2x")]
    [InlineData("prefix", "x.test", "/%61pi/y")]
    [InlineData("prefix", "x.test", "/./api/./y")]
    [InlineData("any", "x.test", "/api/../secret")]
    [InlineData("exact", "x.test", "/api/v2")]
    [InlineData("exact", "x.test", "/api/v2?x=1")]
    [InlineData("longer-prefix", "x.test", "/api/v2/")]
    [InlineData("longer-prefix", "x.test", "/api/v2/z")]
    [InlineData("regex", "x.test", "/r12/z")]
    [InlineData("any", "x.test", "/rx/z")]
    [InlineData("wild", "y.example.test", "/")]
    [InlineData("wild", "b.y.example.test", "/api")]
    [InlineData("any", "example.test", "/")]
    [InlineData("longer-wild", "y.a.example.test", "/")]
    [InlineData("host", "x.a.example.test", "/api/v2")]
    [InlineData("host", "X.A.Example.TEST:8080", "/")]
    [InlineData("post", "m.test", "/", "POST")]
    [InlineData("m-any", "m.test", "/", "PUT")]
    [InlineData("one-header", "h.test", "/", "GET", "X-Beta: 1\r\nx-more: d\r\n")]
    [InlineData("two-headers", "h.test", "/", "GET", "X-BETA: 1\r\nx-more: abc\r\n")]
    [InlineData("no-header", "h.test", "/")]
    [InlineData("any", "h.test", "/", "GET", "x-beta: 2\r\n")]
    [InlineData("query", "q.test", "/?q")]
    [InlineData("query", "q.test", "/?a=1&q=2")]
    [InlineData("query-value", "q.test", "/?q=a%20b")]
    [InlineData("any", "q.test", "/?qq=1")]
    [InlineData("any", "l.test", "/")]
    public async Task Precedence(string route, string host, string target, string method = "GET", string headers = "")
    {
        RawResponse response = await RawHttpClient.OnceAsync(site.Gateway.Listener(), Doc.Get(target, host, headers, method));
        Assert.Equal((200, route), (response.Status, response.Text));
    }

    [Fact]
    public async Task PathWithTwoReadings_ReachesNoRouteByEither()
    {
        // An encoded slash beside dot segments is a path element to one server and a separator to another.
        RawResponse response = await RawHttpClient.OnceAsync(site.Gateway.Listener(), Doc.Get("/x/..%2fapi/y"));
        Assert.Contains(response.Status, (int[])[400, 404]);
        Assert.Contains("urn:gateway:", response.Text);
    }

    [Fact]
    public async Task RouteOfOneListener_IsSeenThereOnly()
    {
        Assert.Equal("second-listener", (await RawHttpClient.OnceAsync(site.Gateway.Listener("second"), Doc.Get(host: "l.test"))).Text);
        Assert.Equal("any", (await RawHttpClient.OnceAsync(site.Gateway.Listener("second"), Doc.Get(host: "x.test"))).Text);
    }

    [Fact]
    public async Task Redirect_KeepsWhatItDoesNotName()
    {
        RawResponse response = await RawHttpClient.OnceAsync(site.Gateway.Listener(), Doc.Get("/p%2Fq?x=1", "old.test"));
        Assert.Equal(301, response.Status);
        Assert.Matches(@"^http://new\.test(:\d+)?/p%2Fq\?x=1$", response["location"]);
        response = await RawHttpClient.OnceAsync(site.Gateway.Listener(), Doc.Get("/p?x=1", "plain.test"));
        Assert.Equal(302, response.Status);
        Assert.StartsWith("https://plain.test:8443/login", response["location"]);
    }

    [Fact]
    public async Task Respond_AnswersByItself()
    {
        RawResponse response = await RawHttpClient.OnceAsync(site.Gateway.Listener(), Doc.Get("/down", "z.test"));
        Assert.Equal((503, "back soon", "text/plain"), (response.Status, response.Text, response["content-type"]));
        RawResponse head = await RawHttpClient.OnceAsync(site.Gateway.Listener(), Doc.Get("/down", "z.test", method: "HEAD"));
        Assert.Equal((503, "9"), (head.Status, head["content-length"]));
        using HttpClient h2 = H2Client.Http2(site.Gateway.Listener());
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await h2.GetAsync("/down")).StatusCode);
    }

    [Fact]
    public async Task RespondToAnUpload_KeepsTheConnectionInStep()
    {
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(site.Gateway.Listener());
        Assert.Equal("any", (await client.RequestAsync(Doc.Post("/", new string('x', 5000)))).Text);
        Assert.Equal("prefix", (await client.RequestAsync(Doc.Get("/api"))).Text);
    }
}
