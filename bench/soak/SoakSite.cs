using Gateway.TestKit;

namespace Gateway.Bench.Soak;

/// <summary>The origins, each with its own fault, and the documents that put a host name before each of them.</summary>
internal sealed class SoakSite : IAsyncDisposable
{
    private static readonly TimeSpan Slow = TimeSpan.FromMilliseconds(200);

    private readonly HttpOrigin _good;
    private readonly HttpOrigin _other;
    private readonly HttpOrigin _h2c;
    private readonly HttpOrigin _https;
    private readonly Dictionary<string, FaultOrigin> _faulty;

    private SoakSite(HttpOrigin good, HttpOrigin other, HttpOrigin h2c, HttpOrigin https)
    {
        (_good, _other, _h2c, _https) = (good, other, h2c, https);
        _good.Record = _other.Record = _h2c.Record = _https.Record = false;
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

    /// <summary>In the certificate of the listener "tls" and of the origin with TLS.</summary>
    public const string ServerName = "soak.test";

    /// <summary>Hosts of pools with one origin each that never changes.</summary>
    public const string GrpcHost = "grpc.test", H2cHost = "h2c.test", HttpsHost = "https.test";

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

    /// <param name="folder">Receives the certificates, to which the documents refer.</param>
    public static async Task<SoakSite> StartAsync(TempFolder folder)
    {
        // The origin uses its certificate to the end; only the authority's own key is done with.
        using var authority = new TestCertificates(folder.Root);
        TestCertificate server = authority.Server("server", ServerName);
        return new(await HttpOrigin.StartAsync("good"), await HttpOrigin.StartAsync("other"), await HttpOrigin.StartH2cAsync("h2c"),
            await HttpOrigin.StartAsync(new HttpOriginOptions { Id = "https", Certificate = server.Certificate }));
    }

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
            { "name": "swap-{{swap}}", "match": { "hosts": ["good.test"], "path": { "prefix": "/swap-{{swap}}" } }, "pool": "good" },
            { "name": "grpc", "match": { "hosts": ["{{GrpcHost}}"] }, "pool": "grpc" }, { "name": "h2c", "match": { "hosts": ["{{H2cHost}}"] }, "pool": "h2c" },
            { "name": "https", "match": { "hosts": ["{{HttpsHost}}"] }, "pool": "https" }, {{routes}}
            """,
            $$"""
            "good": { "endpoints": [{ "address": "{{_good.Address}}" }{{second}}] },
            "grpc": { "endpoints": [{ "address": "{{_h2c.Address}}" }], "protocol": "grpc" }, "h2c": { "endpoints": [{ "address": "{{_h2c.Address}}" }], "protocol": "h2c" },
            "https": { "endpoints": [{ "address": "{{_https.Address}}" }], "protocol": "https", "tls": { "ca": "test-ca.pem", "serverName": "{{ServerName}}" } }, {{pools}}
            """, accessLog);
    }

    private static string Document(string routes, string pools, string accessLog) => $$"""
        { "version": "v1",
          "listeners": [{ "name": "web", "address": "127.0.0.1:0" }, { "name": "tls", "address": "127.0.0.1:0", "tls": { "certificates": ["server"] } }],
          "certificates": { "server": { "certFile": "server.pem", "keyFile": "server.key" } },
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
        await _h2c.DisposeAsync();
        await _https.DisposeAsync();
    }
}
