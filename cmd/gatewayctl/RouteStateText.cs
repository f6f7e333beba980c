using System.Globalization;
using Gateway.Client;

namespace Gateway.Ctl;

/// <summary>What a route's mechanisms stand at, in a few words.</summary>
internal static class RouteStateText
{
    public static string Of(RouteBreaker breaker) => breaker.State switch
    {
        "open" => string.Create(CultureInfo.InvariantCulture, $"open{Since(breaker)}, probed from {breaker.NextProbe?.UtcDateTime:HH:mm:ss}"),
        "half_open" => string.Create(CultureInfo.InvariantCulture, $"half open{Since(breaker)}, {breaker.ProbesGood} probes succeeded, {breaker.ProbesOut} out"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{breaker.State}, {breaker.Failures} of {breaker.Requests} failed"),
    };

    public static string Of(RouteRetryBudget budget) =>
        string.Create(CultureInfo.InvariantCulture, $"{budget.Used} used, {budget.Left} left{(budget.Refused == 0 ? "" : $", {budget.Refused} refused")}");

    public static string Of(RouteConcurrency concurrency) => string.Create(CultureInfo.InvariantCulture,
        $"{concurrency.InFlight} of {concurrency.Limit}{(concurrency.Max is { } max ? $" (at most {max})" : "")}{(concurrency.Queued == 0 ? "" : $", {concurrency.Queued} wait")}");

    private static string Since(RouteBreaker breaker) => breaker.Since is { } since ? string.Create(CultureInfo.InvariantCulture, $" since {since.UtcDateTime:HH:mm:ss}") : "";
}
