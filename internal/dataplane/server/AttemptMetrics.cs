using Gateway.Core.Breaker;
using Gateway.Core.Retry;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Server;

/// <summary>What is read of attempts when metrics are scraped. A route has series once there was something to count.</summary>
internal static class AttemptMetrics
{
    public static void Register(GatewayMetrics metrics, SnapshotStore store, TimeProvider time)
    {
        metrics.ObserveCounter("retries_total", "Requests sent once more, by why; stale: on a connection that had been closed while it was kept.", ["route", "reason"], readings =>
        {
            foreach (RouteModel route in Routes(store))
            {
                if (route.State.AttemptCounts is not { } counts) continue;
                for (int i = 0; i < RetryReasons.Labels.Length; i++)
                {
                    if (counts.Retries((RetryReason)i) is > 0 and var retries) readings.Add(retries, route.Name, RetryReasons.Labels[i]);
                }
            }
        });
        metrics.ObserveCounter("retry_budget_exhausted_total", "Attempts that would have been made, had the budget allowed them.", ["route"], readings =>
        {
            foreach (RouteModel route in Routes(store))
            {
                if (route.State.AttemptCounts is { Exhausted: > 0 } counts) readings.Add(counts.Exhausted, route.Name);
            }
        });
        metrics.ObserveCounter("hedges_total", "Second attempts beside a first that was slow, by whether the client got their response.", ["route", "result"], readings =>
        {
            foreach (RouteModel route in Routes(store))
            {
                if (route.State.AttemptCounts is not { } counts || counts.HedgesWon + counts.HedgesLost == 0) continue;
                readings.Add(counts.HedgesWon, route.Name, "won");
                readings.Add(counts.HedgesLost, route.Name, "lost");
            }
        });
        metrics.ObserveGauge("extra_attempts", "The bound on attempts beyond one per request in the last 10 seconds: how many were made, and how many are allowed.", ["route", "state"], 1, readings =>
        {
            long now = time.GetTimestamp();
            foreach (RouteModel route in Routes(store))
            {
                // Only where there were any: the bound of the others is of no use to anybody.
                if (route.State.AttemptCounts is null || route.KnownAttempts is not { } attempts) continue;
                RetryBudgetReading budget = attempts.Budget.Read(now);
                readings.Add(budget.Spent, route.Name, "made");
                readings.Add(budget.Allowed, route.Name, "allowed");
            }
        });
        metrics.ObserveGauge("breaker_state", "0 closed, 1 half-open, 2 open.", ["route", "pool"], 1, readings =>
        {
            foreach ((RouteModel route, CircuitBreaker breaker) in Breakers(store)) readings.Add((int)breaker.State, route.Name, route.Pool!.Name);
        });
        metrics.ObserveCounter("breaker_opened_total", "How often a breaker opened, from closed or because a probe failed.", ["route", "pool"], readings =>
        {
            foreach ((RouteModel route, CircuitBreaker breaker) in Breakers(store)) readings.Add(breaker.Opened, route.Name, route.Pool!.Name);
        });
    }

    private static RouteModel[] Routes(SnapshotStore store) => store.Current?.Routes ?? [];

    private static IEnumerable<(RouteModel, CircuitBreaker)> Breakers(SnapshotStore store)
    {
        foreach (RouteModel route in Routes(store))
        {
            if (route.Pool?.Breaker is not null && route.KnownAttempts is { Breaker: { } breaker } attempts && attempts.Pool == route.Pool.Name)
                yield return (route, breaker);
        }
    }
}
