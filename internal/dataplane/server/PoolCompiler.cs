using Gateway.Config;
using Gateway.Core.Pool;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Server;

/// <summary>Pools with their endpoints, connections and balancers; whatever lives on under the same id and settings is taken over.</summary>
internal sealed class PoolCompiler(string baseDirectory, StateRegistry registry, UpstreamFactory upstreams, GatewaySnapshot? live)
{
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

        PoolState state = registry.FindPool(name) ?? new PoolState(name, registry.Metrics.Pool(name));
        return new PoolModel(state, new EndpointPlan(KindOf(pool.LoadBalancing), pool.PanicThreshold), endpoints, _live.GetValueOrDefault(name)?.Current)
        {
            Protocol = pool.Protocol,
        };
    }

    private EndpointModel Compile(string pool, PoolConfig config, EndpointConfig endpoint, UpstreamTls? tls, ReadOnlySpan<EndpointModel> earlier)
    {
        // An address twice in a pool is one endpoint with two places in the balancer.
        foreach (EndpointModel same in earlier)
        {
            if (same.Address == endpoint.Address)
                return new EndpointModel { Address = endpoint.Address, Weight = endpoint.Weight, State = same.State, Upstream = same.Upstream };
        }
        StateRegistry.UpstreamKey key = new(pool, UpstreamSettings.From(config, endpoint, tls));
        return new EndpointModel
        {
            Address = endpoint.Address,
            Weight = endpoint.Weight,
            State = registry.FindEndpoint(new StateRegistry.EndpointKey(pool, endpoint.Address)) ?? new EndpointState(pool, endpoint.Address),
            Upstream = registry.FindUpstream(key) ?? Create(key),
        };
    }

    // Opens nothing before the first request: a candidate that is dropped leaves only garbage.
    private Upstream Create(StateRegistry.UpstreamKey key)
    {
        Upstream upstream = upstreams.Create(key.Settings);
        upstream.Key = key;
        return upstream;
    }

    private static BalancerKind KindOf(LoadBalancingPolicy policy) => policy switch
    {
        LoadBalancingPolicy.RoundRobin => BalancerKind.RoundRobin,
        _ => BalancerKind.LeastRequests,
    };
}
