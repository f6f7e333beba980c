using System.Globalization;
using Gateway.Config;
using Gateway.Core.Breaker;
using Gateway.Core.Retry;
using Gateway.DataPlane.Policy.Overload;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Server;

/// <summary>What the mechanisms of a route stand at, for a person to look at.</summary>
internal static class RouteStatuses
{
    /// <param name="route">Of a published snapshot.</param>
    /// <param name="time">The requests' clock.</param>
    public static RouteStatus Of(RouteModel route, TimeProvider time)
    {
        long now = time.GetTimestamp();
        // What is there belongs to another pool as long as no request has come since the route was turned to this one.
        RouteAttempts? attempts = route.Pool is { } pool && route.KnownAttempts is { } known && known.Pool == pool.Name ? known : null;
        OverloadFilter? overload = Array.Find(route.Filters, static filter => filter is OverloadFilter) as OverloadFilter;
        return new RouteStatus(
            attempts?.Breaker is { } breaker && route.Pool!.Breaker is not null ? Of(breaker, now, time) : null,
            attempts is null ? null : Of(attempts.Budget, now),
            overload is null ? null : Of(overload.Read()));
    }

    private static BreakerStatus Of(CircuitBreaker breaker, long now, TimeProvider time)
    {
        BreakerReading reading = breaker.Read(now);
        IReadOnlyList<BreakerChange> changes = breaker.Ledger.Changes;
        return new BreakerStatus(
            WordOf(reading.State), changes.Count == 0 ? null : changes[^1].Time, reading.Requests, reading.Failures, breaker.Opened,
            reading.State == BreakerState.Open ? time.GetUtcNow() + reading.NextProbe : null, reading.ProbesOut, reading.ProbesGood, [.. changes.Select(Of)]);
    }

    private static RetryBudgetStatus Of(RetryBudget budget, long now)
    {
        RetryBudgetReading reading = budget.Read(now);
        return new RetryBudgetStatus(reading.Requests, reading.Spent, Math.Max(0, reading.Allowed - reading.Spent), budget.Refused);
    }

    private static ConcurrencyStatus Of(OverloadReading reading) => new(reading.Limit, reading.Max, reading.InFlight, reading.Waiting, reading.MaxQueue);

    private static BreakerEvent Of(BreakerChange change) => new(
        change.Sequence, change.Time, WordOf(change.From), WordOf(change.To), WordOf(change.Cause), DetailOf(change), change.To == BreakerState.Open ? change.Time + change.Open : null);

    private static string DetailOf(BreakerChange change) => change.Cause switch
    {
        BreakerCause.Failures => string.Create(CultureInfo.InvariantCulture,
            $"{change.Failures} of {change.Requests} attempts in {DurationText.Format(change.Settings.Window)} failed (breaker.failurePercent {change.Settings.FailurePercent} of at least {change.Settings.MinRequests}); open for {DurationText.Format(change.Open)}"),
        BreakerCause.Elapsed => string.Create(CultureInfo.InvariantCulture, $"its time is over; {change.Settings.Probes} requests may probe the pool (breaker.probes)"),
        BreakerCause.ProbeFailed => string.Create(CultureInfo.InvariantCulture, $"a probe failed after {change.Requests} of {change.Settings.Probes} had succeeded; open for {DurationText.Format(change.Open)}"),
        BreakerCause.ProbesSucceeded => string.Create(CultureInfo.InvariantCulture, $"{change.Requests} probes succeeded (breaker.probes {change.Settings.Probes})"),
        BreakerCause.SettingsChanged => "its settings are others now; it begins anew",
        _ => throw new ArgumentOutOfRangeException(nameof(change)),
    };

    private static string WordOf(BreakerState state) => state switch
    {
        BreakerState.Closed => "closed",
        BreakerState.HalfOpen => "half_open",
        _ => "open",
    };

    private static string WordOf(BreakerCause cause) => cause switch
    {
        BreakerCause.Failures => "failures",
        BreakerCause.Elapsed => "elapsed",
        BreakerCause.ProbeFailed => "probe_failed",
        BreakerCause.ProbesSucceeded => "probes_succeeded",
        _ => "settings_changed",
    };
}
