using Gateway.Core.Breaker;
using Gateway.Core.Retry;

namespace Gateway.DataPlane.Runtime;

/// <summary>
/// What the attempts of a route have in common over requests and snapshots: the bound on extra ones, the breaker towards the route's pool,
/// the latest latencies. Made by the first request under its settings; a part whose settings have not changed is taken over from the one
/// before. Thread safe.
/// </summary>
internal sealed class RouteAttempts
{
    private const double HedgeQuantile = 0.95;

    public RouteAttempts(AttemptPlan plan, PoolModel pool, TimeProvider time, RouteAttempts? before)
    {
        bool samePool = before?.Pool == pool.Name;
        Plan = plan;
        Pool = pool.Name;
        Budget = before?.Budget.Settings == plan.Budget ? before.Budget : new RetryBudget(plan.Budget, time.TimestampFrequency);
        if (plan.PerClient is { } perClient)
        {
            Clients = before?.Clients is { } clients && clients.Settings == perClient && before.Plan.ClientHeader == plan.ClientHeader
                ? clients
                : new ClientBudgets(perClient, time.TimestampFrequency);
        }
        if (pool.Breaker is { } breaker) Breaker = samePool && before!.Breaker?.Settings == breaker ? before.Breaker : NewBreaker(breaker, time, samePool ? before!.Breaker : null);
        if (plan.Hedge is { After: null }) Latency = samePool && before!.Latency is { } latency ? latency : new LatencyQuantile(HedgeQuantile, time.TimestampFrequency);
    }

    public AttemptPlan Plan { get; }
    public string Pool { get; }
    public RetryBudget Budget { get; }

    /// <summary>Null without a bound of each client's own.</summary>
    public ClientBudgets? Clients { get; }

    /// <summary>Null without a breaker.</summary>
    public CircuitBreaker? Breaker { get; }

    /// <summary>Of the latest responses; null when nothing asks for it.</summary>
    public LatencyQuantile? Latency { get; }

    /// <summary>Whether it is what a route with these settings needs.</summary>
    public bool Fits(AttemptPlan plan, PoolModel pool) => ReferenceEquals(plan, Plan) && pool.Name == Pool && pool.Breaker == Breaker?.Settings;

    /// <summary>Counts a request: what it may have in further attempts follows from how many requests there are.</summary>
    public void Request(RequestContext request)
    {
        Budget.Request(request.StartedAt);
        Clients?.Request(KeyOf(request), request.StartedAt);
    }

    /// <summary>Asks for an attempt beyond the request's first, whatever it is for.</summary>
    public bool TryTakeExtra(RequestContext request, long now) =>
        // The client's first: what it is refused must cost the others nothing.
        (Clients is null || Clients.TryTake(KeyOf(request), now)) && Budget.TryTake(now);

    // What happened under other settings explains what clients got, too.
    private static CircuitBreaker NewBreaker(BreakerSettings settings, TimeProvider time, CircuitBreaker? before)
    {
        var breaker = new CircuitBreaker(settings, time, before?.Ledger);
        if (before is { State: not BreakerState.Closed and var state })
            breaker.Ledger.Add(time.GetUtcNow(), state, BreakerState.Closed, BreakerCause.SettingsChanged, 0, 0, TimeSpan.Zero, settings);
        return breaker;
    }

    private ulong KeyOf(RequestContext request)
    {
        int hash;
        if (Plan.ClientHeader is { } header) hash = request.Downstream.RequestHeaders[header].ToString().GetHashCode();
        else hash = request.Peer is not { } peer ? 0 : peer.IsIPv4MappedToIPv6 ? peer.MapToIPv4().GetHashCode() : peer.GetHashCode();
        // Both hashes are seeded by the process. Spread, because the table takes what it needs from either end.
        return (uint)hash * 0x9E3779B97F4A7C15;
    }
}
