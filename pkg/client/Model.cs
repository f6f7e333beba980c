using Gateway.Config;

namespace Gateway.Client;

// Every response of the admin API as it is on the wire: camelCase names, RFC 3339 times in UTC, durations in milliseconds. Lists come in
// an object, so that a response may grow. Fields that are null are absent from the JSON. A reader must ignore fields it does not know.

/// <summary>Answer to <c>POST /admin/config</c>, and with <c>?dryRun=true</c> to what would have been applied.</summary>
/// <param name="Applied">True when requests now get this version; false for a dry run, and when the version was live already.</param>
/// <param name="Version">Version of the document: lower-case hex SHA-256 of its canonical bytes.</param>
/// <param name="Warnings">What is doubtful but was accepted, such as a route that no request can reach.</param>
/// <param name="DurationMs">From the last byte of the document to the published snapshot.</param>
public sealed record ApplyResult(bool Applied, string Version, IReadOnlyList<ConfigError> Warnings, double DurationMs)
{
    /// <summary>Of the rollout that was begun; null when there is none.</summary>
    public string? Id { get; init; }

    /// <summary>How that rollout stands: <c>running</c>, or <c>promoted</c> when it has no stages.</summary>
    public string? State { get; init; }
}

/// <summary>Answer to <c>POST /admin/validate</c> for a good document. A bad one is a 400 with all its errors.</summary>
public sealed record ValidateResult(bool Ok, string Version, IReadOnlyList<ConfigError> Warnings);

/// <summary>Answer to <c>POST /admin/rollback</c>.</summary>
/// <param name="Version">The version that is live now.</param>
/// <param name="Previous">The version that was live before.</param>
/// <param name="DurationMs">From the request until it was recorded, which comes after the swap.</param>
public sealed record RollbackResult(string Version, string Previous, double DurationMs)
{
    /// <summary>From the request to the published snapshot; null for what was live already, and for a rollout that was taken back.</summary>
    public double? LiveAfterMs { get; init; }
}

/// <summary>Answer to <c>GET /admin/snapshot</c>: what is live.</summary>
/// <param name="Source"><c>file</c>, <c>admin</c>, <c>rollback</c> or <c>last-good</c>.</param>
/// <param name="Actor">Who asked for it, as in <see cref="HistoryEntry"/>.</param>
/// <param name="CompiledAt">When the document was turned into this snapshot.</param>
/// <param name="AppliedAt">When requests began to get it.</param>
/// <param name="Routes">Number of routes.</param>
/// <param name="Pools">Number of pools.</param>
/// <param name="RetiredSnapshots">Replaced snapshots that requests still hold.</param>
/// <param name="Warnings">What is doubtful in the live document.</param>
public sealed record Snapshot(
    string Version, string Source, string Actor, DateTimeOffset CompiledAt, DateTimeOffset AppliedAt,
    IReadOnlyList<Listener> Listeners, int Routes, int Pools, int RetiredSnapshots, IReadOnlyList<ConfigError> Warnings)
{
    /// <summary>How it stands with the distributor that bundles are pulled from; null when none is asked.</summary>
    public PullState? Pull { get; init; }

    /// <summary>What the sources brought, the lowest priority first; empty from a gateway that does not tell.</summary>
    public IReadOnlyList<Layer> Layers { get; init; } = [];
}

/// <summary>The document that a source brought last.</summary>
/// <param name="Source"><c>file</c>, <c>admin</c> or <c>bundle</c>.</param>
/// <param name="Merge"><c>replace</c> or <c>byName</c>.</param>
/// <param name="Actor">Who brought it, or the file's path.</param>
/// <param name="Digest">Lower-case hex SHA-256 of its bytes.</param>
/// <param name="Format"><c>json</c> or <c>yaml</c>.</param>
/// <param name="Covered">A layer above replaces it: nothing of it is live.</param>
public sealed record Layer(string Source, int Priority, string Merge, string Actor, DateTimeOffset At, string Digest, string Format, bool Covered);

/// <summary>The pulls of a gateway.</summary>
/// <param name="LastSuccess">When the distributor last answered as it should; null for not yet.</param>
/// <param name="LastError">The last failure, also when it is over; null for none.</param>
/// <param name="Failures">Since the last success.</param>
/// <param name="NextTry">Null while a request is on its way or waits for news.</param>
/// <param name="Refused">The distributor's latest bundle, when it did not pass; it is not tried again.</param>
public sealed record PullState(
    string Url, DateTimeOffset? LastSuccess, string? LastError, DateTimeOffset? LastErrorAt, int Failures, DateTimeOffset? NextTry, PullRefusal? Refused);

/// <param name="Sequence">0 when it could not be read.</param>
public sealed record PullRefusal(long Sequence, string Version, string Code, string Reason, DateTimeOffset At);

/// <summary>A listener that runs.</summary>
/// <param name="Address">As configured.</param>
/// <param name="BoundAddress">As bound, with the real port where the configuration says 0.</param>
/// <param name="Connections">Open client connections.</param>
public sealed record Listener(string Name, string Address, string BoundAddress, bool Tls, int Connections);

/// <summary>Answer to <c>GET /admin/history?limit=N</c>, newest first.</summary>
public sealed record History(IReadOnlyList<HistoryEntry> Entries);

/// <summary>Which entries of the history are wanted; null for any.</summary>
public sealed record HistoryQuery
{
    /// <summary>The most entries, newest first.</summary>
    public int Limit { get; init; } = 100;

    /// <summary>A version, or its beginning.</summary>
    public string? Version { get; init; }

    /// <summary>As <see cref="HistoryEntry.Source"/>.</summary>
    public string? Source { get; init; }

    /// <summary><c>applied</c> or <c>rejected</c>.</summary>
    public string? Result { get; init; }

    /// <summary>From this time on.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Before this time.</summary>
    public DateTimeOffset? Until { get; init; }
}

/// <summary>One attempt to change the configuration.</summary>
/// <param name="Sequence">Rises by one with each entry, over restarts.</param>
/// <param name="Version">Null when the document could not be read.</param>
/// <param name="Actor">Who asked for it: <c>token</c>, the subject of a client certificate, or <c>file</c>.</param>
/// <param name="Result"><c>applied</c> or <c>rejected</c>.</param>
/// <param name="Live">True for the one entry that requests get now.</param>
/// <param name="Detail">For a person: the first error, or what was gone back to; null for nothing more.</param>
public sealed record HistoryEntry(
    long Sequence, DateTimeOffset Time, string? Version, string Source, string Actor, string Result, double DurationMs, bool Live, string? Detail);

/// <summary>Answer to <c>GET /admin/pools?pool=NAME&amp;ledger=N</c>, sorted by name: one pool or all, with at most N entries of each ledger.</summary>
public sealed record PoolList(IReadOnlyList<Pool> Pools);

/// <param name="Panic">So few endpoints are healthy that health is ignored and all are used.</param>
/// <param name="Ledger">The last changes of its health, newest first.</param>
public sealed record Pool(string Name, string Protocol, string LoadBalancing, bool Panic, IReadOnlyList<PoolEndpoint> Endpoints, IReadOnlyList<HealthChange> Ledger);

/// <summary>A change of an endpoint's health, or of the pool's.</summary>
/// <param name="Sequence">Rises by one within the pool.</param>
/// <param name="Endpoint">Null for the pool's own state.</param>
/// <param name="From">What it was: <c>healthy</c> or what was known against it, <c>absent</c> before it joined; of a pool <c>normal</c> or <c>panic</c>.</param>
/// <param name="To">What it is now; the same as before when something was decided against a change.</param>
/// <param name="Cause"><c>no_answer</c>, <c>consecutive_failures</c>, <c>failure_percent</c>, <c>latency</c>, <c>probe</c>, <c>panic</c>, <c>discovery</c> or <c>apply</c>.</param>
/// <param name="Detail">Which attempts, counters and thresholds, for a person.</param>
/// <param name="Until">When an ejection ends; null for anything else.</param>
public sealed record HealthChange(
    long Sequence, DateTimeOffset Time, string? Endpoint, string From, string To, string Cause, string Detail, DateTimeOffset? Until);

/// <summary>An endpoint of a pool; the counters are since the gateway knows the endpoint, over applies.</summary>
/// <param name="InFlight">Requests and tunnels that use it now.</param>
/// <param name="Attempts">Requests sent to it, ever.</param>
/// <param name="Failures">Those that got no answer, or not the whole of one.</param>
/// <param name="Connections">Open upstream connections, idle and active.</param>
/// <param name="Used">New requests may go to it.</param>
/// <param name="Reason">Why they may not, or what is held against it in a pool in panic: <c>no_weight</c>, <c>probe_failed</c>, <c>ejected</c>, <c>unprobed</c>, <c>standby</c> (better ones are enough); null for nothing.</param>
/// <param name="State"><c>healthy</c>, or what is known against it: <c>ejected</c>, <c>unhealthy</c>, both, or <c>unprobed</c>.</param>
/// <param name="Errors">Answers of 5xx.</param>
/// <param name="LastChange">The last change of its health; null when there was none.</param>
/// <param name="LastProbe">Null when it is not probed.</param>
/// <param name="Zone">Where it is; null when that is not known.</param>
/// <param name="Priority">0 is used first.</param>
/// <param name="RampPercent">Percent of its weight that it has now: less than 100 for a while after it has come or recovered, where the pool has a slow start.</param>
public sealed record PoolEndpoint(
    string Address, int Weight, bool Healthy, int InFlight, long Attempts, long Failures, int Connections, bool Used, string? Reason,
    string State, long Errors, HealthChange? LastChange, ProbeState? LastProbe, string? Zone = null, int Priority = 0, int RampPercent = 100);

/// <summary>What the last probe of an endpoint said.</summary>
/// <param name="InARow">Probes with the same answer up to this one.</param>
public sealed record ProbeState(DateTimeOffset Time, bool Good, string Detail, int InARow);

/// <summary>Answer to <c>GET /admin/audit?limit=N</c>, newest first.</summary>
public sealed record AuditLog(IReadOnlyList<AuditEntry> Entries);

/// <summary>One attempt to change something, whatever came of it, or an address that was locked out for wrong tokens.</summary>
/// <param name="Action"><c>apply</c>, <c>rollback</c>, <c>start</c>, <c>login</c>.</param>
/// <param name="Actor">As in <see cref="HistoryEntry"/>; <c>anonymous</c> when unknown.</param>
/// <param name="From">The client's address and port; empty for a change of the file.</param>
/// <param name="Version">The version it was about; null when there is none.</param>
/// <param name="Result"><c>applied</c>, <c>unchanged</c>, <c>rejected</c>, <c>stale</c>, <c>pressure</c>, <c>unknown_version</c>, <c>failed</c> or <c>locked_out</c>.</param>
/// <param name="Detail">More about it, for a person; null for nothing more.</param>
public sealed record AuditEntry(
    DateTimeOffset Time, string Action, string Actor, string From, string? Version, string Result, string? Detail);

/// <summary>Answer to <c>GET /readyz?verbose</c>: 200 when ready, 503 when not, with the same body. Needs no token.</summary>
public sealed record Readiness(bool Ready, IReadOnlyList<ReadinessCheck> Checks);

/// <summary>One thing readiness looks at: <c>config</c>, <c>listeners</c>, <c>shutdown</c>, and <c>file</c>, which never makes the gateway unready.</summary>
/// <param name="Detail">For a person, such as why the last edit of the file was refused; null when there is nothing to say.</param>
/// <param name="Errors">What is wrong in a refused document; null when it is not about one.</param>
public sealed record ReadinessCheck(string Name, bool Ok, string? Detail, IReadOnlyList<ConfigError>? Errors);

/// <summary>The live document, byte for byte as it was applied. <c>GET /admin/config</c>; the version is the response's ETag.</summary>
/// <param name="ContentType"><c>application/json</c> or <c>application/yaml</c>.</param>
public sealed record ConfigDocument(string Version, string ContentType, ReadOnlyMemory<byte> Bytes);

/// <summary>An error of the admin API: problem+json (RFC 9457) with all errors of a document at once.</summary>
/// <param name="Type"><c>urn:gateway:CATEGORY</c>.</param>
public sealed record Problem(string? Type, string? Title, int Status, string? Detail, IReadOnlyList<ConfigError>? Errors);
