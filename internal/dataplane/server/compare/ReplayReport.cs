namespace Gateway.DataPlane.Server;

/// <summary>What a candidate would do with recorded requests.</summary>
/// <param name="Requests">How many were decided by both.</param>
/// <param name="Changed">Those of them whose route, pool or status would be another.</param>
/// <param name="ByKind">How many differ by <c>listener</c> (it is gone), <c>route</c>, <c>pool</c> and <c>status</c>; one request may count for several.</param>
/// <param name="Examples">The commonest changes, each with a request.</param>
public sealed record ReplayReport(int Requests, int Changed, IReadOnlyDictionary<string, int> ByKind, IReadOnlyList<ReplayExample> Examples)
{
    public double ChangedPercent => Requests == 0 ? 0 : 100.0 * Changed / Requests;
}

/// <param name="Request">Method and URL of one of them, without its query.</param>
/// <param name="Before">By what is live; null for no route.</param>
/// <param name="After">By the candidate; null for no route.</param>
/// <param name="Count">How many requests changed so.</param>
public sealed record ReplayExample(string Request, RouteOutcome? Before, RouteOutcome? After, int Count);
