namespace Gateway.Client;

/// <summary>Answer to <c>GET /admin/fleet</c>: the fleet as the replica that was asked last saw it.</summary>
/// <param name="Replica">Which one was asked.</param>
/// <param name="Database">Where the shared store is.</param>
/// <param name="Connected">The shared store answers; when it does not, the rest is what was known <paramref name="At"/> that time.</param>
/// <param name="Error">Why it does not, or what is wrong at the replica; null for nothing.</param>
/// <param name="Desired">What every replica is to serve; null when that is not known yet.</param>
/// <param name="Rollout">The rollout that runs, or the last one; null for none.</param>
public sealed record Fleet(
    string Replica, string Database, bool Connected, DateTimeOffset? At, string? Error, FleetChange? Desired, FleetRollout? Rollout, IReadOnlyList<Replica> Replicas);

/// <summary>A rollout through the replicas. <c>GET /admin/rollouts/fleet-ID</c> is the same as a <see cref="Client.Rollout"/>, at every replica.</summary>
/// <param name="Rollout">Its name in the configuration.</param>
/// <param name="State"><c>running</c>, <c>promoted</c>, <c>returned</c> or <c>aborted</c>.</param>
/// <param name="Reason">Why it ended so, and where; null while it runs.</param>
/// <param name="Replicas">In their order.</param>
public sealed record FleetRollout(
    long Id, string Rollout, string Version, string State, string? Reason, DateTimeOffset StartedAt, DateTimeOffset? EndedAt, IReadOnlyList<FleetRolloutPart> Replicas)
{
    /// <summary><c>sequential</c>, one replica after another, or <c>together</c>.</summary>
    public string Mode { get; init; } = "sequential";

    /// <summary>Its shares do not rise until someone resumes it.</summary>
    public bool Paused { get; init; }
}

/// <summary>A replica's part of a rollout.</summary>
/// <param name="State"><c>waiting</c>, <c>running</c>, <c>passed</c> (the candidate stays at its last share), <c>skipped</c>, or how it ended.</param>
public sealed record FleetRolloutPart(string Name, string State, string? Reason)
{
    /// <summary>How many stages the candidate has passed there.</summary>
    public int Passed { get; init; }

    /// <summary>The share of its requests that get the candidate.</summary>
    public double Percent { get; init; }

    /// <summary>What was live did there beside the candidate.</summary>
    public VariantTraffic? Live { get; init; }

    /// <summary>What the candidate did there.</summary>
    public VariantTraffic? Candidate { get; init; }
}

/// <summary>A change of the fleet.</summary>
/// <param name="Sequence">Rises by one with each.</param>
/// <param name="Source">As in <see cref="HistoryEntry"/> of the replica where it came in.</param>
/// <param name="From">The client's address; empty for a file.</param>
/// <param name="Replica">Where it came in.</param>
/// <param name="Detail">For a person; null for nothing.</param>
public sealed record FleetChange(
    long Sequence, DateTimeOffset Time, string Version, string Source, string Actor, string From, string Replica, string? Detail);

/// <summary>A replica as it last told of itself.</summary>
/// <param name="Address">Of its admin API; empty for none.</param>
/// <param name="Version">What it serves.</param>
/// <param name="Sequence">Which change of the fleet that is; null for none.</param>
/// <param name="Since">When that became live there.</param>
/// <param name="InStep">It is there, and serves what the fleet wants.</param>
/// <param name="State"><c>serving</c>, <c>behind</c>, <c>failed</c>, <c>pending</c> (a change of its own that the fleet was not told of yet) or <c>away</c>.</param>
/// <param name="Error">Why it failed; null for nothing.</param>
public sealed record Replica(
    string Name, string Address, string Version, long? Sequence, DateTimeOffset Since, bool InStep, string State, string? Error, DateTimeOffset StartedAt, DateTimeOffset LastSeen);

/// <summary>Answer to <c>GET /admin/fleet/history?limit=N</c>, newest first.</summary>
public sealed record FleetHistory(IReadOnlyList<FleetChange> Entries);

/// <summary>Answer to <c>GET /admin/fleet/audit?limit=N</c>, newest first.</summary>
public sealed record FleetAuditLog(IReadOnlyList<FleetAuditEntry> Entries);

/// <summary>As <see cref="AuditEntry"/>, with the replica where it happened.</summary>
public sealed record FleetAuditEntry(
    string Replica, DateTimeOffset Time, string Action, string Actor, string From, string? Version, string Result, string? Detail);
