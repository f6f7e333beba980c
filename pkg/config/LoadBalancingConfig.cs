namespace Gateway.Config;

[Doc("How an endpoint is chosen: the name of a policy, or an object with the policy and what it needs.")]
[Shorthand(nameof(Policy))]
public sealed record LoadBalancingConfig
{
    internal static readonly LoadBalancingConfig Default = new();

    [Doc("The policy.")]
    public LoadBalancingPolicy Policy { get; init; } = LoadBalancingPolicy.LeastRequests;

    [Doc("What maglev and ringHash keep to an endpoint: \"ip\" (the client's address; behind trusted proxies the one they name), \"path\", \"header:NAME\", \"cookie:NAME\" or \"query:NAME\". A request without it goes anywhere. Default: ip.")]
    [Example("\"header:x-user\"")]
    public RequestKey? Key { get; init; }

    [Doc("For maglev and ringHash: an endpoint that has this many times its share of the requests in flight passes others on (Mirrokni et al. 2018). From 1 to 100; 0 for no bound. Default: 1.25.")]
    public double? BoundedLoad { get; init; }
}

public enum LoadBalancingPolicy
{
    [Doc("Power of two choices over in-flight requests per weight (Envoy's least_request).")] LeastRequests,
    [Doc("Smooth weighted round robin (nginx).")] RoundRobin,
    [Doc("Power of two choices over a peak-sensitive moving average of the latency, times requests in flight, per weight (Finagle, Linkerd).")] PeakEwma,
    [Doc("At random by weight.")] Random,
    [Doc("The same key to the same endpoint, by Maglev's table of 65537 places (Eisenbud et al., NSDI 2016): even shares, few keys move when an endpoint comes or goes.")] Maglev,
    [Doc("The same key to the same endpoint, by a ring with 160 points per endpoint and weight (ketama): no key moves but those of the endpoint that goes; less even shares.")] RingHash,
    [Doc("The first usable one in the order of the document; the others stand by.")] First,
}
