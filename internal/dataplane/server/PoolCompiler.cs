using System.Globalization;
using System.Net;
using Gateway.Config;
using Gateway.Core.Limits;
using Gateway.Core.Pool;
using Gateway.DataPlane.Discovery;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Server;

/// <summary>What pools are made with.</summary>
/// <param name="Zone">Where this gateway is; null when that is not known.</param>
internal sealed record PoolParts(string BaseDirectory, string? Zone, StateRegistry Registry, UpstreamFactory Upstreams, DiscoveryServices Discovery, byte[] AffinityKey, TimeProvider Time);

/// <summary>Pools with their endpoints, connections and balancers; whatever lives on under the same id and settings is taken over.</summary>
/// <param name="live">Null before the first.</param>
/// <param name="trial">Null unless it is for a candidate to be tried beside the live snapshot.</param>
internal sealed class PoolCompiler(PoolParts parts, GatewaySnapshot? live, CanaryStates? trial)
{
    // That of the paper's evaluation at Vimeo (HAProxy's hash-balance-factor 125).
    private const double DefaultBound = 1.25;

    private readonly Dictionary<string, PoolModel> _live = (live?.Pools ?? []).ToDictionary(static pool => pool.Name);
    private readonly Dictionary<DnsSettings, DnsDiscovery> _discoveries = [];

    public PoolModel[] Compile(IReadOnlyDictionary<string, PoolConfig> pools, List<ConfigError> errors)
    {
        List<PoolModel> models = new(pools.Count);
        foreach ((string name, PoolConfig pool) in pools) models.Add(Compile(name, pool, errors));
        return [.. models];
    }

    private PoolModel Compile(string name, PoolConfig pool, List<ConfigError> errors)
    {
        UpstreamTls? tls = pool.Tls is null ? null : UpstreamTls.Load(pool.Tls, parts.BaseDirectory, $"pools.{name}.tls", errors);
        EndpointDiscovery? discovery = pool.Discovery is null ? null : DiscoveryOf(pool.Discovery);
        ushort own = trial?.OfPool(name, pool) ?? 0;
        IReadOnlyList<DiscoveredEndpoint> found = discovery?.Found ?? [];
        PoolState state = parts.Registry.FindPool(new StateRegistry.NameKey(name, own)) ?? new PoolState(name, parts.Registry.Metrics.Pool(name), parts.Time) { Trial = own };
        var source = new PoolEndpoints(state, pool, tls, parts, discovery);
        return new PoolModel(state, PlanOf(pool), source.Make(found), _live.GetValueOrDefault(name)?.Current)
        {
            Protocol = pool.Protocol,
            Health = HealthCompiler.Compile(pool),
            Breaker = AttemptPlans.Breaker(pool.Breaker),
            Source = discovery is null ? null : source,
            Found = found,
        };
    }

    private EndpointDiscovery DiscoveryOf(DiscoveryConfig config)
    {
        int colon = config.Dns.LastIndexOf(':');
        var settings = new DnsSettings(
            colon < 0 ? config.Dns : config.Dns[..colon],
            colon < 0 ? null : int.Parse(config.Dns.AsSpan(colon + 1), CultureInfo.InvariantCulture),
            DurationText.TryParse(config.Interval, out TimeSpan interval) ? interval : null,
            config.Resolver is null ? null : IPEndPoint.Parse(config.Resolver));
        if (parts.Registry.FindDiscovery(settings) is { } running) return running;
        // Pools of one candidate share it as well.
        if (!_discoveries.TryGetValue(settings, out DnsDiscovery? made)) _discoveries.Add(settings, made = new DnsDiscovery(settings, parts.Discovery));
        return made;
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
        var plan = new EndpointPlan(balancing, pool.PanicThreshold, SlowStart: pool.SlowStart ?? TimeSpan.Zero, AffinityCookie: pool.Affinity?.Cookie,
            MostRequests: pool.Connections.MaxRequestsPerEndpoint, Queue: new QueueSettings(pool.Connections.MaxQueue, pool.Connections.QueueTimeout),
            MostConnections: pool.Connections.MaxPerEndpoint);
        return balancing.IsByHash ? plan with { Balancing = balancing with { BoundedLoad = how.BoundedLoad ?? DefaultBound }, HashKey = how.Key ?? RequestKey.Ip } : plan;
    }
}
