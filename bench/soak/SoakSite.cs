using Gateway.TestKit;

namespace Gateway.Bench.Soak;

/// <summary>The origins, each with its own fault, and the documents that put a host name before each of them.</summary>
internal sealed class SoakSite : IAsyncDisposable
{
    private static readonly TimeSpan Slow = TimeSpan.FromMilliseconds(200);

    private readonly HttpOrigin _good;
    private readonly HttpOrigin _other;
    private readonly Dictionary<string, FaultOrigin> _faulty;

    private SoakSite(HttpOrigin good, HttpOrigin other)
    {
        _good = good;
        _other = other;
        _good.Record = _other.Record = false;
        _faulty = new Dictionary<string, FaultOrigin>
        {
            ["resets"] = Faulty(Fault.ResetAt(0)),
            ["cuts"] = Faulty(Fault.ResetAt(2000)),
            ["slow"] = Faulty(Fault.SlowHeaders(Slow)),
            ["trickles"] = Faulty(Fault.SlowBody(Slow / 10)),
            ["errors"] = Faulty(Fault.StatusShare(503, 0.5)),
            ["hangs"] = Faulty(Fault.Hang),
            ["garbage"] = Faulty(Fault.Garbage),
            ["refuses"] = Faulty(Fault.Refuse),
            ["flaps"] = Faulty(Fault.Flapping(TimeSpan.FromSeconds(1), Fault.None, Fault.Refuse)),
        };
    }

    public const int FaultyBody = 5000;

    /// <summary>What a request through each faulty origin may come to; anything else is an unexpected error. <c>cut</c>: the response ended before its length; <c>reset</c>: there was none, and the
    /// connection was reset. Both say "not whole"; which of them a client sees of a reset that follows the bytes at once, TCP decides.</summary>
    public static IReadOnlyDictionary<string, string[]> Allowed { get; } = new Dictionary<string, string[]>
    {
        ["resets"] = ["502", "503"],
        ["cuts"] = ["200 cut", "reset", "502", "503"],
        ["slow"] = ["200"],
        ["trickles"] = ["200"],
        ["errors"] = ["200", "503"],
        ["hangs"] = ["504"],
        ["garbage"] = ["502", "503"],
        ["refuses"] = ["502", "503"],
        ["flaps"] = ["200", "502", "503"],
    };

    public static async Task<SoakSite> StartAsync() => new(await HttpOrigin.StartAsync("good"), await HttpOrigin.StartAsync("other"));

    /// <summary>One listener and no origin: before the load, and after it.</summary>
    public static string Bare(string accessLog) => Document("""{ "name": "bare", "respond": { "status": 204 } }""", "", accessLog);

    /// <summary>The configuration of that swap: routes come and go, and every second time an endpoint of the good pool does.</summary>
    public string Config(int swap, string accessLog)
    {
        string routes = string.Join(", ", _faulty.Keys.Select(static name =>
            $$"""{ "name": "{{name}}", "match": { "hosts": ["{{name}}.test"] }, "pool": "{{name}}", "timeouts": { "attempt": "2s", "request": "5s" } }"""));
        string pools = string.Join(", ", _faulty.Select(static origin => $$""" "{{origin.Key}}": { "endpoints": [{ "address": "{{origin.Value.Address}}" }] }"""));
        string second = swap % 2 == 0 ? "" : $$""", { "address": "{{_other.Address}}" }""";
        return Document(
            $$"""
            { "name": "good", "match": { "hosts": ["good.test"] }, "pool": "good", "timeouts": { "request": "10m" } },
            { "name": "swap-{{swap}}", "match": { "hosts": ["good.test"], "path": { "prefix": "/swap-{{swap}}" } }, "pool": "good" }, {{routes}}
            """,
            $$""" "good": { "endpoints": [{ "address": "{{_good.Address}}" }{{second}}] }, {{pools}}""", accessLog);
    }

    private static string Document(string routes, string pools, string accessLog) => $$"""
        { "version": "v1",
          "listeners": [{ "name": "web", "address": "127.0.0.1:0" }],
          "routes": [ {{routes}} ],
          "pools": { {{pools}} },
          "accessLog": { "output": "{{accessLog}}", "format": "common" } }
        """;

    private static FaultOrigin Faulty(Fault fault)
    {
        FaultOrigin origin = FaultOrigin.Start(body: new string('x', FaultyBody));
        origin.Become(fault);
        return origin;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (FaultOrigin origin in _faulty.Values) await origin.DisposeAsync();
        await _good.DisposeAsync();
        await _other.DisposeAsync();
    }
}
