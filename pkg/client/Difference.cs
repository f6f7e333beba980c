namespace Gateway.Client;

/// <summary>Answer to <c>POST /admin/diff</c>: a candidate against the live configuration.</summary>
/// <param name="Changes">By what the documents say: at most 1000 objects.</param>
/// <param name="MoreChanges">How many objects there are besides; null for none.</param>
/// <param name="Replay">By what they do with recorded requests; null when none are recorded.</param>
/// <param name="Behaviour">By what they do with requests. What no request meets (logs, metrics, history) shows in the changes alone.</param>
public sealed record Difference(
    string LiveVersion, string Version, IReadOnlyList<ObjectDifference> Changes, int? MoreChanges, BehaviourDifference Behaviour, ReplayDifference? Replay,
    IReadOnlyList<Config.ConfigError> Warnings);

/// <summary>What the candidate would do differently with recorded requests.</summary>
/// <param name="Requests">How many are recorded.</param>
/// <param name="Changed">Those of them whose route, pool or status would be another.</param>
/// <param name="ByKind">How many differ by <c>listener</c>, <c>route</c>, <c>pool</c> and <c>status</c>.</param>
/// <param name="Examples">The commonest changes.</param>
public sealed record ReplayDifference(int Requests, int Changed, IReadOnlyDictionary<string, int> ByKind, IReadOnlyList<ReplayedRequest> Examples);

/// <param name="Request">Method and URL of one of them, without its query.</param>
/// <param name="Count">How many changed so.</param>
public sealed record ReplayedRequest(string Request, ClassOutcome Before, ClassOutcome After, int Count);

/// <param name="Name">Null for a section that is one object.</param>
/// <param name="Kind"><c>added</c>, <c>removed</c>, <c>changed</c> or <c>moved</c> (a route that stands elsewhere among the others).</param>
public sealed record ObjectDifference(string Section, string? Name, string Kind, IReadOnlyList<FieldDifference> Fields);

/// <summary>A field's values as JSON without defaults, secrets as <c>***</c>; null where it is absent.</summary>
public sealed record FieldDifference(string Path, string? Before, string? After);

/// <param name="Equivalent">Every request on every listener has the same route, pool, policy and status, and is taken and limited alike.</param>
/// <param name="Complete">False when the comparison ended at its limit of work: there may be more classes.</param>
/// <param name="Classes">Disjoint classes of requests whose outcome differs; at most 200.</param>
/// <param name="MoreClasses">How many there are besides; null for none.</param>
/// <param name="Undecided">Pairs of routes of which it is not known whether a request goes from one to the other.</param>
/// <param name="Settings">What else requests meet and is not the same: settings of listeners, certificates, overload.</param>
public sealed record BehaviourDifference(
    bool Equivalent, bool Complete, IReadOnlyList<RequestClass> Classes, int? MoreClasses, IReadOnlyList<UndecidedPair> Undecided,
    IReadOnlyList<SettingDifference> Settings, IReadOnlyList<string> ListenersRemoved, IReadOnlyList<string> ListenersAdded);

/// <summary>Something that every request on some listeners meets.</summary>
/// <param name="What">The field's path, as in <c>listeners.web.limits.bodyBytes</c>.</param>
public sealed record SettingDifference(string What, IReadOnlyList<string> Listeners);

/// <summary>Requests that meet all of the conditions and that none of the excepted routes takes first.</summary>
/// <param name="What">What differs: <c>route</c>, <c>pool</c>, <c>status</c>, the names of the route's fields, and <c>pools.NAME</c> for a pool's content.</param>
/// <param name="Hosts">Exact hosts, wildcards, or <c>*</c>.</param>
/// <param name="Path">As <c>exact /x</c> or <c>prefix /x</c>; null for any.</param>
/// <param name="PathPatterns">Regular expressions that the path matches besides.</param>
/// <param name="Methods">Empty for any.</param>
/// <param name="Conditions">Header and query conditions, one line of text each.</param>
/// <param name="Witness">One of them; <c>POST /admin/explain</c> takes it as it is.</param>
public sealed record RequestClass(
    IReadOnlyList<string> Listeners, IReadOnlyList<string> What, ClassOutcome Before, ClassOutcome After, IReadOnlyList<string> Hosts, string? Path,
    IReadOnlyList<string> PathPatterns, IReadOnlyList<string> Methods, IReadOnlyList<string> Conditions, Witness Witness);

/// <param name="Route">Null when no route matches.</param>
/// <param name="Pool">Null when the request is not forwarded.</param>
/// <param name="Status">What the gateway answers by itself; null when the request is forwarded.</param>
/// <param name="Except">Routes that may take requests of the class first; at most ten.</param>
/// <param name="MoreExcept">How many there are besides; null for none.</param>
public sealed record ClassOutcome(string? Route, string? Pool, int? Status, IReadOnlyList<string> Except, int? MoreExcept);

/// <summary>An example request.</summary>
public sealed record Witness(string Method, string Url, IReadOnlyDictionary<string, IReadOnlyList<string>> Headers);

/// <param name="Before">A route's name; null for none.</param>
/// <param name="After">A route's name; null for none.</param>
public sealed record UndecidedPair(IReadOnlyList<string> Listeners, string? Before, string? After, string Reason);
