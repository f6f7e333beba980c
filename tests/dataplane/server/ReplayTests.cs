using System.Diagnostics;
using System.Text;
using Gateway.Config;
using Gateway.Core.Router;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Gateway.DataPlane.Tests.Server;

public sealed class ReplayTests
{
    private static string Document(string routes) => $$"""
        { "version": "v1", "listeners": [ { "name": "web", "address": "127.0.0.1:0" } ], "routes": [ {{routes}} ], "pools": { "a": { "endpoints": [] }, "b": { "endpoints": [] } } }
        """;

    private const string A = """{ "name": "a", "match": { "path": { "prefix": "/a" } }, "pool": "a" }""", Rest = """{ "name": "rest", "pool": "b" }""";

    private static GatewaySnapshot Compile(DataPlaneHost host, string document)
    {
        ReadResult read = ConfigReader.ReadJson(Encoding.UTF8.GetBytes(document));
        Assert.Empty(read.Errors);
        CompileResult compiled = host.Compile(read.Config!, "v", "test");
        Assert.Empty(compiled.Errors);
        return compiled.Snapshot!;
    }

    private static DataPlaneHost Host() => new(new DataPlaneOptions("/", NullLoggerFactory.Instance, TimeProvider.System) { Transport = TransportKind.Sockets });

    private static RecordedRequest Get(string path, string host = "h") => new(new DescribedRequest("GET", "http", host, path, "", []), "web");

    [Fact]
    public async Task ChangesAreCountedByKind_AndTheCommonestShown()
    {
        await using DataPlaneHost host = Host();
        GatewaySnapshot live = Compile(host, Document($"{A}, {Rest}"));
        GatewaySnapshot candidate = Compile(host, Document($$"""{{A}}, { "name": "down", "match": { "path": { "prefix": "/a/x" } }, "respond": { "status": 503 } }, { "name": "rest", "pool": "a" }"""));
        RecordedRequest[] requests = [Get("/a"), Get("/a/x"), Get("/a/x/y"), Get("/b;jsessionid=secret"), .. Enumerable.Repeat(Get("/c"), 5), Get("/a") with { Listener = "gone" }];
        ReplayReport report = Replay.Run(requests, live, candidate);
        Assert.Equal((9, 8), (report.Requests, report.Changed));
        Assert.Equal(["pool 8", "route 2", "status 2"], report.ByKind.Select(static k => $"{k.Key} {k.Value}"));
        Assert.Equal(
            [new ReplayExample("GET http://h/b", new("rest", "b", null), new("rest", "a", null), 6), new ReplayExample("GET http://h/a/x", new("a", "a", null), new("down", null, 503), 2)],
            report.Examples);
        Assert.Equal(0, Replay.Run(requests, live, live).Changed);
    }

    [Fact]
    public async Task AHundredThousandDecisions_TakeLessThanASecond()
    {
        await using DataPlaneHost host = Host();
        string routes = string.Join(", ", Enumerable.Range(0, 1000).Select(static i => $$"""{ "name": "r{{i}}", "match": { "hosts": ["h{{i}}"], "path": { "prefix": "/a" } }, "pool": "a" }"""));
        GatewaySnapshot live = Compile(host, Document(routes)), candidate = Compile(host, Document(routes.Replace("\"hosts\": [\"h7\"]", "\"hosts\": [\"x7\"]")));
        RecordedRequest[] requests = [.. Enumerable.Range(0, 100_000).Select(static i => Get("/a/b", $"h{i % 1000}"))];
        var watch = Stopwatch.StartNew();
        ReplayReport report = Replay.Run(requests, live, candidate);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(1), $"took {watch.Elapsed}");
        Assert.Equal((100_000, 100), (report.Requests, report.Changed));
        Assert.Equal(0.1, report.ChangedPercent);
    }

    [Fact]
    public void TheRing_KeepsTheNewest_AndWhatItHadWhenOnlyOtherSettingsChange()
    {
        var ring = new RequestRing();
        Assert.False(ring.IsOn);
        ring.Add(Get("/lost"));
        Assert.Empty(ring.Read());
        ring.Configure(Model("\"keep\": 3"));
        for (int i = 0; i < 5; i++) ring.Add(Get($"/{i}"));
        Assert.Equal(["/2", "/3", "/4"], ring.Read().Select(static r => r.Request.PathText));
        ring.Configure(Model("\"keep\": 3, \"every\": 7"));
        ring.Add(Get("/5"));
        Assert.Equal(["/3", "/4", "/5"], ring.Read().Select(static r => r.Request.PathText));
        ring.Configure(Model("\"keep\": 0"));
        Assert.Equal((false, 0), (ring.IsOn, ring.Read().Length));
    }

    [Fact]
    public void ARequestWithMoreThanItsShareOfBytes_IsLeftOut()
    {
        var ring = new RequestRing();
        ring.Configure(Model("\"keep\": 3"));
        RecordedRequest Long(int characters) =>
            new(new DescribedRequest("GET", "http", "h", "/", "q", [.. Enumerable.Range(0, 16).Select(i => new KeyValuePair<string, string>($"x-{i}", new string('v', i == 0 ? characters - (15 * 200) - 3 : 200)))]), "web");
        ring.Add(Long(RequestRing.MostCharacters));
        Assert.Single(ring.Read());
        ring.Add(Long(RequestRing.MostCharacters + 1));
        Assert.Single(ring.Read());
    }

    [Fact]
    public void OnlyWhatRoutesAskFor_IsKept_AndSecretsAsHashes()
    {
        RecordingModel model = Model("\"keep\": 1, \"headers\": [\"X-Extra\"]", """
            { "name": "r", "respond": {}, "match": { "headers": [ { "name": "x-beta", "value": "1" }, { "name": "Authorization", "present": true }, { "name": "x-api-key", "value": "k" } ],
              "query": [ { "name": "q x", "present": true }, { "name": "token", "present": true } ] } }
            """);
        Assert.Equal(["Authorization True", "X-Extra False", "x-api-key True", "x-beta False"], model.Headers.Select(static h => $"{h.Name} {h.IsSecret}").Order(StringComparer.Ordinal));
        string kept = model.Keeps("a=1&q+x=2&token=hunter2&q%20x&b");
        Assert.Matches("^q[+]x=2&token=hash-[0-9a-f]{16}&q%20x$", kept);
        Assert.Equal(model.Hash("hunter2"), Model("\"keep\": 2").Hash("hunter2"));
    }

    private static RecordingModel Model(string replay, string route = """{ "name": "r", "respond": {} }""")
    {
        ReadResult read = ConfigReader.ReadJson(Encoding.UTF8.GetBytes($$"""{ "version": "v1", "routes": [ {{route}} ], "replay": { {{replay}} } }"""));
        Assert.Empty(read.Errors);
        return RecordingModel.Compile(read.Config!);
    }
}
