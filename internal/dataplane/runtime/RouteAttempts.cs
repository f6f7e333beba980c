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
        if (plan.Hedge is not null) Latency = samePool && before!.Latency is { } latency ? latency : new LatencyQuantile(HedgeQuantile, time.TimestampFrequency);
    }

    public AttemptPlan Plan { get; }
    public string Pool { get; }
    public RetryBudget Budget { get; }

    /// <summary>Null without a bound of each client's own.</summary>
    public ClientBudgets? Clients { get; }

    /// <summary>Null without a breaker.</summary>
    public CircuitBreaker? Breaker { get; }

    /// <summary>Of the latest responses; null without hedging.</summary>
    public LatencyQuantile? Latency { get; }

    /// <summary>Whether it is what a route with these settings needs.</summary>
    public bool Fits(AttemptPlan plan, PoolModel pool) => ReferenceEquals(plan, Plan) && pool.Name == Pool && pool.Breaker == Breaker?.Settings;

    /// <summary>Counts a request: what it may have in further attempts follows from how many requests there are.</summary>
    /// <param name="client">Its client's key; not looked at without <see cref="Clients"/>, as everywhere here.</param>
    /// <param name="now">Timestamp.</param>
    public void Request(ulong client, long now)
    {
        Budget.Request(now);
        Clients?.Request(client, now);
    }

    /// <summary>Asks for an attempt beyond the request's first, whatever it is for.</summary>
    public bool TryTakeExtra(ulong client, long now)
    {
        // The client's first: what it is refused must cost the others nothing.
        if (Clients?.TryTake(client, now) == false) return false;
        if (Budget.TryTake(now)) return true;
        Clients?.GiveBack(client, now);
        return false;
    }

    /// <summary>The attempt that was asked for is not made after all.</summary>
    public void GiveBackExtra(ulong client, long now)
    {
        Clients?.GiveBack(client, now);
        Budget.GiveBack(now);
    }

    // What happened under other settings explains what clients got, too.
    private static CircuitBreaker NewBreaker(BreakerSettings settings, TimeProvider time, CircuitBreaker? before)
    {
        var breaker = new CircuitBreaker(settings, time, before?.Ledger);
        if (before is { State: not BreakerState.Closed and var state })
            breaker.Ledger.Add(time.GetUtcNow(), state, BreakerState.Closed, BreakerCause.SettingsChanged, 0, 0, TimeSpan.Zero, settings);
        return breaker;
    }
}
