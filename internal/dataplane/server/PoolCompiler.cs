using Gateway.Config;
using Gateway.Core.Pool;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Server;

/// <summary>Pools with their endpoints, connections and balancers; whatever lives on under the same id and settings is taken over.</summary>
/// <param name="zone">Where this gateway is; null when that is not known.</param>
internal sealed class PoolCompiler(string baseDirectory, string? zone, StateRegistry registry, UpstreamFactory upstreams, TimeProvider time, GatewaySnapshot? live)
{
    // That of the paper's evaluation at Vimeo (HAProxy's hash-balance-factor 125).
    private const double DefaultBound = 1.25;

    private readonly Dictionary<string, PoolModel> _live = (live?.Pools ?? []).ToDictionary(static pool => pool.Name);

    public PoolModel[] Compile(IReadOnlyDictionary<string, PoolConfig> pools, List<ConfigError> errors)
    {
        List<PoolModel> models = new(pools.Count);
        foreach ((string name, PoolConfig pool) in pools) models.Add(Compile(name, pool, errors));
        return [.. models];
    }

    private PoolModel Compile(string name, PoolConfig pool, List<ConfigError> errors)
    {
        UpstreamTls? tls = pool.Tls is null ? null : UpstreamTls.Load(pool.Tls, baseDirectory, $"pools.{name}.tls", errors);
        EndpointModel[] endpoints = new EndpointModel[pool.Endpoints.Count];
        for (int i = 0; i < endpoints.Length; i++) endpoints[i] = Compile(name, pool, pool.Endpoints[i], tls, endpoints.AsSpan(0, i));

        PoolState state = registry.FindPool(name) ?? new PoolState(name, registry.Metrics.Pool(name), time);
        return new PoolModel(state, PlanOf(pool), endpoints, _live.GetValueOrDefault(name)?.Current)
        {
            Protocol = pool.Protocol,
            Health = HealthCompiler.Compile(pool),
            Breaker = AttemptPlans.Breaker(pool.Breaker),
        };
    }

    private EndpointModel Compile(string pool, PoolConfig config, EndpointConfig endpoint, UpstreamTls? tls, ReadOnlySpan<EndpointModel> earlier)
    {
        // An address twice in a pool is one endpoint with two places in the balancer.
        foreach (EndpointModel same in earlier)
        {
            if (same.Address == endpoint.Address)
                return new EndpointModel { Address = endpoint.Address, Weight = endpoint.Weight, Rank = RankOf(endpoint), State = same.State, Upstream = same.Upstream };
        }
        StateRegistry.UpstreamKey key = new(pool, UpstreamSettings.From(config, endpoint, tls));
        return new EndpointModel
        {
            Address = endpoint.Address,
            Weight = endpoint.Weight,
            Rank = RankOf(endpoint),
            State = registry.FindEndpoint(new StateRegistry.EndpointKey(pool, endpoint.Address)) ?? new EndpointState(pool, endpoint.Address),
            Upstream = registry.FindUpstream(key) ?? Create(key),
        };
    }

    private int RankOf(EndpointConfig endpoint) => (2 * endpoint.Priority) + (zone is null || endpoint.Zone == zone ? 0 : 1);

    // Opens nothing before the first request: a candidate that is dropped leaves only garbage.
    private Upstream Create(StateRegistry.UpstreamKey key)
    {
        Upstream upstream = upstreams.Create(key.Settings);
        upstream.Key = key;
        return upstream;
    }

    private static EndpointPlan PlanOf(PoolConfig pool)
    {
        LoadBalancingConfig how = pool.LoadBalancing;
        BalancerKind kind = how.Policy switch
        {
            LoadBalancingPolicy.LeastRequests => BalancerKind.LeastRequests,
            LoadBalancingPolicy.RoundRobin => BalancerKind.RoundRobin,
            LoadBalancingPolicy.PeakEwma => BalancerKind.PeakEwma,
            LoadBalancingPolicy.Random => BalancerKind.Random,
            LoadBalancingPolicy.Maglev => BalancerKind.Maglev,
            LoadBalancingPolicy.RingHash => BalancerKind.RingHash,
            LoadBalancingPolicy.First => BalancerKind.First,
            _ => throw new InvalidOperationException($"{how.Policy} has no balancer."),
        };
        var balancing = new Balancing(kind);
        var plan = new EndpointPlan(balancing, pool.PanicThreshold, SlowStart: pool.SlowStart ?? TimeSpan.Zero);
        return balancing.IsByHash ? plan with { Balancing = balancing with { BoundedLoad = how.BoundedLoad ?? DefaultBound }, HashKey = how.Key ?? RequestKey.Ip } : plan;
    }
}
