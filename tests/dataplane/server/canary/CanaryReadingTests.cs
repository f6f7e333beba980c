using System.Net.WebSockets;
using Gateway.Core.Rollout;
using Gateway.DataPlane.Server;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Server;

/// <summary>What is counted of a canary and of the requests beside it, and where it is seen.</summary>
public sealed class CanaryReadingTests : IAsyncLifetime
{
    private const string Json = """, "accessLog": { "output": "stdout", "fields": ["path", "snapshot", "variant"] }""";

    private readonly CanaryRig _rig = new();
    private readonly FaultOrigin _origin = FaultOrigin.Start();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _rig.DisposeAsync();
        await _origin.DisposeAsync();
    }

    private string Pools => $$""" "p": { "endpoints": [{ "address": "{{_origin.Address}}" }] } """;

    private static string Route(string name, string prefix) =>
        $$"""{ "name": "{{name}}", "match": { "path": { "prefix": "{{prefix}}" } }, "pool": "p", "retry": { "attempts": 1 } }""";

    private static RouteCounts Of(CanaryReading reading, string route) => reading.Routes.Single(r => r.Route == route);

    [Fact]
    public async Task EachOutcome_IsCountedForItsRouteAndVariant()
    {
        string routes = $$"""{{Route("a", "/a")}}, {{Route("b", "/b")}}""";
        await _rig.ApplyAsync(CanaryRig.Document(routes, Pools));
        await _rig.BeginAsync(CanaryRig.Document(routes + ", " + Route("c", "/c"), Pools), 50, CanaryRig.User);
        string live = _rig.UserIn(100, below: 50), candidate = _rig.UserIn(50);
        _origin.BecomeAt("/a/500", Fault.Status(500));
        _origin.BecomeAt("/a/404", Fault.Status(404));
        _origin.BecomeAt("/a/cut", Fault.ResetAt(60));
        _origin.BecomeAt("/b/none", Fault.ResetAt(0));
        foreach (string path in (string[])["/a", "/a/500", "/a/404", "/a", "/b/none", "/nowhere", "/c"]) await _rig.GetAsync(path, candidate);
        await Assert.ThrowsAsync<HttpRequestException>(() => _rig.GetAsync("/a/cut", candidate));
        foreach (string path in (string[])["/a", "/b", "/c"]) await _rig.GetAsync(path, live);
        CanaryReading reading = await _rig.ReadAsync(11);

        Assert.Equal((3, 8), (reading.All.Stable.Requests, reading.All.Canary.Requests));
        Assert.Equal((0, 3), (reading.All.Stable.Failures, reading.All.Canary.Failures));
        VariantCounts a = Of(reading, "a").Canary;
        Assert.Equal((5, 2, 1, 3), (a.Requests, a.Failures, a.ClientErrors, a.Timed));
        Assert.Equal((1, 1), (Of(reading, "b").Canary.Requests, Of(reading, "b").Canary.Failures));
        Assert.Equal((0, 1), (Of(reading, "c").Stable.Requests, Of(reading, "c").Canary.Requests));
        // Of all requests of the variant, those that found no route: /nowhere, and /c where it is none.
        RouteCounts none = Of(reading, RouteCounts.NoRoute);
        Assert.Equal((3, 1, 8, 1), (none.Stable.Requests, none.Stable.Failures, none.Canary.Requests, none.Canary.Failures));
    }

    [Fact]
    public async Task TwoReadings_CanBeSubtracted()
    {
        await _rig.ApplyAsync(CanaryRig.Document(Route("a", "/"), Pools));
        await _rig.BeginAsync(CanaryRig.Document(Route("a", "/"), Pools), 100);
        await _rig.GetAsync("/1");
        CanaryReading first = await _rig.ReadAsync(1);
        await _rig.GetAsync("/2");
        await _rig.GetAsync("/3");
        CanaryReading since = (await _rig.ReadAsync(3)).Since(first);
        Assert.Equal((2, 2, 2), (since.All.Canary.Requests, Of(since, "a").Canary.Requests, Of(since, "a").Canary.Timed));
        Assert.True(since.Elapsed > TimeSpan.Zero);
    }

    [Fact]
    public async Task ManyRoutes_AreBounded_AndNothingIsLost()
    {
        string routes = string.Join(", ", Enumerable.Range(0, 150).Select(static i => $$"""{ "name": "r{{i}}", "match": { "path": { "prefix": "/{{i}}" } }, "respond": { "status": 200 } }"""));
        await _rig.ApplyAsync(CanaryRig.Document(routes));
        await _rig.BeginAsync(CanaryRig.Document(routes), 100);
        for (int i = 0; i < 150; i++) await _rig.GetAsync($"/{i}");
        for (int i = 0; i < 3; i++) await _rig.GetAsync("/149");
        CanaryReading reading = await _rig.ReadAsync(153);
        Assert.Equal(101, reading.Routes.Count);
        await _rig.GetAsync("/149");
        CanaryReading later = await _rig.ReadAsync(154);
        Assert.Equal(154, later.Routes.Sum(static r => r.Canary.Requests));
        Assert.All(later.Since(reading).Routes, static r => Assert.True(r.Canary.Requests >= 0));
    }

    [Fact]
    public async Task WebSockets_AreCountedWhenTheyOpen_AndHoldNoCandidate()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        string document = CanaryRig.Document(Route("ws", "/"), $$""" "p": { "endpoints": [{ "address": "{{origin.Address}}" }] } """);
        await _rig.ApplyAsync(document);
        await _rig.BeginAsync(document, 100);
        using ClientWebSocket socket = await H2Client.OpenWebSocketAsync(new Uri(_rig.Address(), "/ws"), System.Net.HttpVersion.Version11);
        CanaryReading reading = await _rig.ReadAsync(1);
        Assert.Equal((1, 0), (reading.All.Canary.Requests, reading.All.Canary.Failures));
        await _rig.Host.EndCanaryAsync();
        await Eventually.Until("nothing holds the candidate", () => _rig.Host.RetiredSnapshots == 0);
        Assert.NotEmpty(await socket.ExchangeAsync("still there"));
    }

    [Fact]
    public async Task StreamsOfOneHttp2Connection_AreBoundEachByItself()
    {
        await _rig.ApplyAsync(CanaryRig.Answering("live"));
        await _rig.BeginAsync(CanaryRig.Answering("candidate"), 50, CanaryRig.User);
        string live = _rig.UserIn(100, below: 50), candidate = _rig.UserIn(50);
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        string[] texts = await Task.WhenAll(Enumerable.Range(0, 40).Select(async i =>
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, _rig.Address()) { Version = System.Net.HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
            request.Headers.Add("X-User", i % 2 == 0 ? live : candidate);
            using HttpResponseMessage response = await client.SendAsync(request);
            return await response.Content.ReadAsStringAsync();
        }));
        for (int i = 0; i < texts.Length; i++) Assert.Equal(i % 2 == 0 ? "live" : "candidate", texts[i]);
    }

    [Fact]
    public async Task LogMetricAndExplanation_SayTheVariant()
    {
        string routes = """{ "name": "a", "respond": { "status": 200 } }""";
        await _rig.ApplyAsync(CanaryRig.Document(routes, more: Json));
        Assert.DoesNotContain("variant_requests_total", _rig.Scrape());
        await _rig.GetAsync("/before");
        await _rig.BeginAsync(CanaryRig.Document(routes.Replace("200", "204", StringComparison.Ordinal), more: Json), 50, CanaryRig.User);
        string live = _rig.UserIn(100, below: 50), candidate = _rig.UserIn(50);
        await _rig.GetAsync("/live", live);
        await _rig.GetAsync("/candidate", candidate);
        await _rig.ReadAsync(2);

        Explanation Explain(string? user) => _rig.Host.Explain(_rig.Host.Current!, new ExplainQuery(Gateway.Core.Router.DescribedRequest.Parse(
            "GET", _rig.Address().ToString(), user is null ? [] : [new("x-user", user)], out _)!.Value), out _)!;
        Explanation ofCandidate = Explain(candidate), ofLive = Explain(live);
        Assert.Equal(("canary", 50.0, 204, "v2"), (ofCandidate.Variant!.Variant, ofCandidate.Variant.Percent, ofCandidate.Status, ofCandidate.Version));
        Assert.InRange(ofCandidate.Variant.Bucket!.Value, 0, 4999);
        Assert.Equal(("stable", 200, "v1"), (ofLive.Variant!.Variant, ofLive.Status, ofLive.Version));
        Assert.Equal(("random", null), (Explain(null).Variant!.Variant, Explain(null).Variant!.Bucket));

        await _rig.Host.EndCanaryAsync();
        Assert.Null(Explain(candidate).Variant);
        await _rig.GetAsync("/after", candidate);
        string text = _rig.Scrape();
        Assert.Contains("gateway_variant_requests_total{route=\"a\",variant=\"canary\"} 1\n", text);
        Assert.Contains("gateway_variant_requests_total{route=\"a\",variant=\"stable\"} 1\n", text);
        await _rig.BeginAsync(CanaryRig.Document(routes), 100);
        await _rig.GetAsync("/again");
        await _rig.ReadAsync(1);
        Assert.Contains("gateway_variant_requests_total{route=\"a\",variant=\"canary\"} 2\n", _rig.Scrape());
        Assert.Equal(
            [
                """{"path":"/before","snapshot":"v1","variant":null}""", """{"path":"/live","snapshot":"v1","variant":"stable"}""",
                """{"path":"/candidate","snapshot":"v2","variant":"canary"}""", """{"path":"/after","snapshot":"v1","variant":null}""",
                """{"path":"/again","snapshot":"v3","variant":"canary"}""",
            ],
            await _rig.LogAsync());
    }
}
