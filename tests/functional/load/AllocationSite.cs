using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Load;

/// <summary>One gateway with a host for each policy, all of them before one healthy origin; what its listeners limit, no request comes near.</summary>
public sealed class AllocationSite : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private TestCertificates? _authority;
    private FaultOrigin? _origin;

    public GatewayProcess Gateway { get; private set; } = null!;

    /// <summary>A request without a body to the host of that policy.</summary>
    public static string Get(string route) => $"GET /path/to/something?page=2 HTTP/1.1\r\nHost: {route}.test\r\n{Fields}\r\n";

    public static string Post(string route) => $"POST /path/to/something?page=2 HTTP/1.1\r\nHost: {route}.test\r\n{Fields}Content-Length: 10\r\n\r\n0123456789";

    private const string Fields = "Accept: */*\r\nUser-Agent: test\r\nX-Shard: 4711\r\nX-Wait: 5000\r\nCookie: a=b; gw=of-nobody\r\n";

    public async ValueTask InitializeAsync()
    {
        _authority = new TestCertificates(_folder.Root);
        _ = _authority.Server("site", "localhost");
        _origin = FaultOrigin.Start(body: new string('x', 130));
        const string limits = """
            "limits": { "connectionsPerAddress": 1000, "connectionRatePerAddress": { "perSecond": 10000 }, "requestRatePerAddress": { "perSecond": 1000000 } }
            """;
        Gateway = await GatewayProcess.StartAsync(Doc.Of(
            routes: string.Join(", ",
                Route("plain"),
                Route("retries", """ "retry": { "attempts": 3, "on": ["connect", "reset", "refused", "5xx"], "perClient": { "key": "ip" } }, "overload": { "maxInflight": 100 } """),
                Route("hedged", """ "retry": { "attempts": 2 }, "hedge": { "after": "p95" } """),
                Route("adaptive", """ "overload": { "maxInflight": 100, "adaptive": true } """),
                Route("ewma"),
                Route("hashed"),
                Route("sticky"),
                Route("deadline", """ "timeouts": { "deadlineHeader": "x-wait" } """),
                Route("all", """
                    "retry": { "attempts": 3, "on": ["connect", "reset", "refused", "5xx"], "perClient": { "key": "ip" } }, "hedge": { "after": "5s" },
                    "timeouts": { "deadlineHeader": "x-wait" }, "overload": { "maxInflight": 100, "adaptive": true }
                    """)),
            pools: string.Join(", ",
                Pool("plain"),
                Pool("retries", """ "breaker": {}, "outlier": { "latency": {} }, "connections": { "maxPerEndpoint": 100, "maxRequestsPerEndpoint": 100 } """),
                Pool("hedged"),
                Pool("adaptive"),
                Pool("ewma", """ "loadBalancing": "peakEwma" """),
                Pool("hashed", """ "loadBalancing": { "policy": "maglev", "key": "header:x-shard" } """),
                Pool("sticky", """ "affinity": { "cookie": "gw" } """),
                Pool("deadline"),
                Pool("all", """
                    "loadBalancing": "peakEwma", "breaker": {}, "outlier": { "latency": {} }, "slowStart": "1s", "affinity": { "cookie": "gw" },
                    "connections": { "maxPerEndpoint": 100, "maxRequestsPerEndpoint": 100 }
                    """)),
            listeners: $$"""
                { "name": "web", "address": "127.0.0.1:0", {{limits}} }, { "name": "tls", "address": "127.0.0.1:0", "tls": { "certificates": ["site"] }, {{limits}} }
                """,
            more: $$"""
                "certificates": { "site": { "certFile": "site.pem", "keyFile": "site.key" } }, "accessLog": { "output": "{{_folder["access.log"]}}" }
                """), new GatewayProcessOptions { Folder = _folder });
    }

    private static string Route(string name, string more = "") => Doc.Route(name, Doc.Host($"{name}.test"), pool: name, more: more);

    // A healthy endpoint beside it would only share the requests out.
    private string Pool(string name, string more = "") => Doc.PoolWith(name, more, _origin!.Address);

    public async ValueTask DisposeAsync()
    {
        if (Gateway is not null) await Gateway.DisposeAsync();
        if (_origin is not null) await _origin.DisposeAsync();
        _authority?.Dispose();
        _folder.Dispose();
    }
}
