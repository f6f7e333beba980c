using Gateway.Core.Router;
using Gateway.Core.Router.Compare;

namespace Gateway.DataPlane.Server;

/// <summary>What two snapshots do differently with requests, listener by listener.</summary>
/// <param name="Listeners">Listeners that both have, those with the same routes together, where they differ.</param>
/// <param name="OnlyBefore">Names of listeners that only the first has.</param>
/// <param name="OnlyAfter">Names of listeners that only the second has.</param>
/// <param name="Settings">What else requests meet and is not the same, whatever their route is.</param>
public sealed record SnapshotDifference(
    IReadOnlyList<ListenerDifference> Listeners, IReadOnlyList<string> OnlyBefore, IReadOnlyList<string> OnlyAfter, IReadOnlyList<SettingDifference> Settings)
{
    /// <summary>Every request on every listener has the same route, pool, policy and status in both, and is taken and limited alike.</summary>
    public bool IsEquivalent => Listeners.Count + OnlyBefore.Count + OnlyAfter.Count + Settings.Count == 0;
}

/// <summary>Something of the document that every request on some listeners meets.</summary>
/// <param name="What">The field's path: <c>listeners.web.tls.clientCertificate</c>, <c>overload.memoryPercent</c>.</param>
/// <param name="Listeners">The listeners on which it is met.</param>
public sealed record SettingDifference(string What, IReadOnlyList<string> Listeners);

/// <param name="Names">Listeners that share the difference.</param>
/// <param name="IsComplete">False when the comparison ended at its limit of work: there may be more classes.</param>
public sealed record ListenerDifference(
    IReadOnlyList<string> Names, IReadOnlyList<OutcomeChange> Changes, IReadOnlyList<UndecidedOutcome> Undecided, bool IsComplete);

/// <summary>A class of requests with another outcome than before.</summary>
/// <param name="Before">Null when nothing matched.</param>
/// <param name="After">Null when nothing matches.</param>
/// <param name="What">What differs: <c>route</c>, <c>pool</c>, <c>status</c>, the names of the route's fields, and <c>pools.NAME</c> for a pool's content.</param>
/// <param name="Conditions">What the requests have in common.</param>
/// <param name="ExceptBefore">Routes that took some of them first.</param>
/// <param name="ExceptAfter">Routes that take some of them first.</param>
/// <param name="Witness">One of them.</param>
public sealed record OutcomeChange(
    RouteOutcome? Before, RouteOutcome? After, IReadOnlyList<string> What, RequestConditions Conditions, RouteNames ExceptBefore, RouteNames ExceptAfter, DescribedRequest Witness);

/// <summary>What becomes of a request.</summary>
/// <param name="Pool">Null when it is not forwarded.</param>
/// <param name="Status">What the gateway answers by itself; null when it is forwarded.</param>
public sealed record RouteOutcome(string Route, string? Pool, int? Status);

/// <summary>Two outcomes of which it is not known whether a request went from one to the other.</summary>
/// <param name="Before">A route's name; null for none.</param>
/// <param name="After">A route's name; null for none.</param>
public sealed record UndecidedOutcome(string? Before, string? After, string Reason);
