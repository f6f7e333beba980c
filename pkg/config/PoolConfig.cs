namespace Gateway.Config;

[Doc("A group of equal upstream endpoints. Its state (connections, in-flight counts) is kept by pool name and endpoint address across applies.")]
public sealed record PoolConfig
{
    [Doc("The endpoints. Empty, and no discovery: every request gets 503 no_endpoint.")]
    public required IReadOnlyList<EndpointConfig> Endpoints { get; init; }

    [Doc("Where to find more endpoints, beside those listed.")]
    public DiscoveryConfig? Discovery { get; init; }

    [Doc("What is spoken to the endpoints.")]
    public UpstreamProtocol Protocol { get; init; } = UpstreamProtocol.Http1;

    [Doc("TLS to the endpoints, for the protocols https and grpc; setting it on grpc turns TLS on.")]
    public UpstreamTlsConfig? Tls { get; init; }

    [Doc("How an endpoint is chosen: the name of a policy, or an object with the policy and what it needs.")]
    [Example("{ \"policy\": \"maglev\", \"key\": \"header:x-user\", \"boundedLoad\": 1.25 }")]
    public LoadBalancingConfig LoadBalancing { get; init; } = LoadBalancingConfig.Default;

    [Doc("How long an endpoint that is new or has recovered takes to its whole weight, evenly from 10% (Envoy). Not for maglev, ringHash and first, whose shares are not by the moment. Default: it has its whole weight at once.")]
    [Range("1s", "1h")]
    public TimeSpan? SlowStart { get; init; }

    [Doc("Keeps clients to endpoints by a cookie.")]
    public AffinityConfig? Affinity { get; init; }

    [Doc("Percent of the endpoints. With fewer healthy ones, health is ignored and all are used, lest the few drown in what was meant for all (Envoy's default); 0: never.")]
    [Range("0", "100")]
    public int PanicThreshold { get; init; } = 50;

    [Doc("How it is found out whether endpoints are well.")]
    public HealthConfig Health { get; init; } = HealthConfig.Default;

    [Doc("Leave endpoints alone that do worse than they should. Absent: off.")]
    public OutlierConfig? Outlier { get; init; }

    [Doc("Connections to the endpoints.")]
    public ConnectionsConfig Connections { get; init; } = ConnectionsConfig.Default;

    [Doc("Refuse requests for a while when too many fail, for each route by itself: 503 circuit_open. Absent: never.")]
    public BreakerConfig? Breaker { get; init; }

    [Doc("A document of higher priority may have another pool of this name.")]
    public bool Overridable { get; init; }
}

[Doc("One upstream endpoint.")]
public sealed record EndpointConfig
{
    [Doc("\"host:port\", \"[v6]:port\" or \"unix:PATH\". A host name is resolved at connect time.")]
    [Example("\"10.0.0.1:8080\"")]
    public required string Address { get; init; }

    [Doc("Share of the requests relative to the other endpoints'; 0 takes none.")]
    [Range("0", "65535")]
    public int Weight { get; init; } = 1;

    [Doc("Where it is. Endpoints in the gateway's own zone (--zone) are preferred among those of one priority: the others take what is left when fewer than 71% of the local ones are healthy. Default: none, which is no zone's own.")]
    [Example("\"eu-west-1a\"")]
    public string? Zone { get; init; }

    [Doc("0 is used first. A priority takes 1.4 times its healthy share of the requests, at most all of them; the rest goes to the next one (Envoy).")]
    [Range("0", "127")]
    public int Priority { get; init; }
}

public enum UpstreamProtocol
{
    [Doc("HTTP/1.1 in clear text.")] Http1,
    [Doc("HTTP/2 in clear text by prior knowledge.")] H2c,
    [Doc("TLS; HTTP/2 or HTTP/1.1 by ALPN.")] Https,
    [Doc("HTTP/2 for gRPC: in clear text, or over TLS when tls is set.")] Grpc,
}

[Doc("TLS to the endpoints of a pool.")]
public sealed record UpstreamTlsConfig
{
    [Doc("PEM file with the authorities to trust. Default: the system's.")]
    public string? Ca { get; init; }

    [Doc("Name sent as SNI and verified in the certificate. Default: the endpoint's host.")]
    public string? ServerName { get; init; }

    [Doc("PEM file with the client certificate to show.")]
    public string? CertFile { get; init; }

    [Doc("PEM file with the client certificate's private key.")]
    public string? KeyFile { get; init; }

    [Doc("Verify the endpoint's certificate. Turn off only for tests.")]
    public bool Verify { get; init; } = true;
}

[Doc("Connections to the endpoints of a pool.")]
public sealed record ConnectionsConfig
{
    internal static readonly ConnectionsConfig Default = new();

    [Doc("Time to connect, with the TLS handshake. 502 upstream_connect_failed.")]
    [Range("10ms", "5m")]
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(1);

    [Doc("Open connections per endpoint at most; 0 for no limit. Requests that come to an endpoint which has so many wait for one of them, and what cannot wait gets 503 overloaded with Retry-After. That says nothing about the endpoint, and the time of the attempt begins after it.")]
    [Range("0", "1000000")]
    public int MaxPerEndpoint { get; init; }

    [Doc("Requests per endpoint at once at most, each to the end of its body; 0 for no limit. An endpoint that has so many is passed over while another has room. When none has, requests wait, the first come first served, and what cannot wait gets 503 overloaded with Retry-After.")]
    [Range("0", "1000000")]
    public int MaxRequestsPerEndpoint { get; init; }

    [Doc("Requests of the pool that may wait for maxRequestsPerEndpoint, of all routes together, and as many for maxPerEndpoint; 0: none.")]
    [Range("0", "1000000")]
    public int MaxQueue { get; init; } = 128;

    [Doc("How long a request may wait for maxRequestsPerEndpoint, and then for maxPerEndpoint.")]
    [Range("1ms", "1m")]
    public TimeSpan QueueTimeout { get; init; } = TimeSpan.FromMilliseconds(200);

    [Doc("Idle connections per endpoint that are kept; each event loop keeps its part of them. What is beyond it is closed after two seconds without use, with 0 at once. For http1 only: over the others, connections are shared by requests or kept for idleTimeout.")]
    [Range("0", "1000000")]
    public int MaxIdlePerEndpoint { get; init; } = 256;

    [Doc("How long an idle connection is kept.")]
    [Range("1s", "24h")]
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(90);

    [Doc("How long a connection is used before it is replaced; 0s for no limit.")]
    [Range("0s", "168h")]
    public TimeSpan MaxLifetime { get; init; } = TimeSpan.Zero;
}
