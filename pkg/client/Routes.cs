namespace Gateway.Client;

// As in Model.cs: what is on the wire.

/// <summary>Answer to <c>GET /admin/routes?offset=M&amp;limit=N&amp;ledger=K</c>, in the order of the document, with at most K entries of each breaker's ledger.</summary>
/// <param name="Total">Number of routes of the snapshot, whatever the page.</param>
public sealed record RouteList(string Version, int Total, IReadOnlyList<Route> Routes);

/// <summary>A route of the live snapshot.</summary>
/// <param name="Listeners">Names of the listeners that serve it; never empty.</param>
/// <param name="Hosts">Empty for any.</param>
/// <param name="Path">As <c>exact /x</c>, <c>prefix /x</c> or <c>regex X</c>; null for any.</param>
/// <param name="Methods">Empty for any.</param>
/// <param name="Conditions">Header and query conditions, one line of text each; empty for none.</param>
/// <param name="Action"><c>pool NAME</c>, <c>redirect STATUS</c> or <c>respond STATUS</c>.</param>
/// <param name="ShadowedBy">Why no request reaches it, with the route that takes them; null when one can.</param>
public sealed record Route(
    string Name, IReadOnlyList<string> Listeners, IReadOnlyList<string> Hosts, string? Path, IReadOnlyList<string> Methods,
    IReadOnlyList<string> Conditions, string Action, string? ShadowedBy)
{
    /// <summary>Null without one, or before the route's first request to its pool.</summary>
    public RouteBreaker? Breaker { get; init; }

    /// <summary>Null before the route's first request to a pool.</summary>
    public RouteRetryBudget? RetryBudget { get; init; }

    /// <summary>Null without a bound.</summary>
    public RouteConcurrency? Concurrency { get; init; }
}

/// <summary>What breaker, retry budget and concurrency of a route stand at; each as in <see cref="Route"/>.</summary>
public sealed record RouteState(RouteBreaker? Breaker, RouteRetryBudget? RetryBudget, RouteConcurrency? Concurrency);

/// <summary>The circuit breaker of a route towards its pool.</summary>
/// <param name="State"><c>closed</c>, <c>half_open</c> or <c>open</c>.</param>
/// <param name="Since">When it came into that state; null when it never was in another.</param>
/// <param name="Requests">Attempts in the window.</param>
/// <param name="Failures">Those of them that failed.</param>
/// <param name="Opened">How often it has opened.</param>
/// <param name="NextProbe">From when on a request may probe the pool; null unless it is open.</param>
/// <param name="ProbesOut">Probes that have not come back.</param>
/// <param name="ProbesGood">Probes that have succeeded since it is half-open.</param>
/// <param name="Ledger">The last changes of its state, newest first.</param>
public sealed record RouteBreaker(
    string State, DateTimeOffset? Since, long Requests, long Failures, long Opened, DateTimeOffset? NextProbe, int ProbesOut, int ProbesGood,
    IReadOnlyList<BreakerChange> Ledger);

/// <summary>A change of a breaker's state.</summary>
/// <param name="Sequence">Rises by one.</param>
/// <param name="Cause"><c>failures</c>, <c>elapsed</c>, <c>probe_failed</c>, <c>probes_succeeded</c> or <c>settings_changed</c>.</param>
/// <param name="Detail">Counts and thresholds, for a person.</param>
/// <param name="Until">Until when nothing is let through; null unless it opened.</param>
public sealed record BreakerChange(long Sequence, DateTimeOffset Time, string From, string To, string Cause, string Detail, DateTimeOffset? Until);

/// <summary>The bound on attempts beyond one per request, of the last 10 seconds.</summary>
/// <param name="Used">How many there were.</param>
/// <param name="Left">How many more there may be.</param>
/// <param name="Refused">How many there would have been had the budget allowed them, ever.</param>
public sealed record RouteRetryBudget(long Requests, long Used, long Left, long Refused);

/// <summary>How many requests run at once.</summary>
/// <param name="Limit">How many may, now.</param>
/// <param name="Max">The upper bound of an adaptive limit; null of a fixed one.</param>
/// <param name="Queued">Requests that wait.</param>
public sealed record RouteConcurrency(int Limit, int? Max, int InFlight, int Queued, int MaxQueue);
