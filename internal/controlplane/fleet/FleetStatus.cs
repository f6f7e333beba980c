namespace Gateway.ControlPlane.Fleet;

/// <summary>A change of the fleet: the last one is what every replica is to serve.</summary>
/// <param name="Sequence">Rises by one with each change.</param>
/// <param name="Digest">Of the document's bytes.</param>
/// <param name="Source">As in the history of the replica where it came in: <c>admin</c>, <c>bundle</c>, <c>rollback</c>, <c>file</c>.</param>
/// <param name="Replica">Where it came in.</param>
/// <param name="BundleSequence">The highest sequence of a signed bundle up to it; null for none.</param>
public sealed record FleetChange(
    long Sequence, DateTimeOffset Time, string Version, string Digest, string Format, string Source, string Actor, string From, string Replica, string? Detail, long? BundleSequence);

/// <summary>A replica as it last told of itself.</summary>
/// <param name="Address">Of its admin API; empty for none.</param>
/// <param name="Version">What it serves.</param>
/// <param name="Sequence">Which change of the fleet that is; null for none.</param>
/// <param name="Since">When that became live there.</param>
/// <param name="State"><c>serving</c> what the fleet wants, <c>behind</c>, <c>failed</c> to apply it, <c>waiting</c> for the fleet's first version, or <c>pending</c>: it serves a change of its own that the fleet was not told of yet.</param>
/// <param name="Error">Why it failed; null for nothing.</param>
/// <param name="LastSeen">By the database's clock, as <paramref name="Age"/> is.</param>
public sealed record ReplicaStatus(
    string Name, string Address, string Version, long? Sequence, DateTimeOffset Since, string State, string? Error, DateTimeOffset StartedAt, DateTimeOffset LastSeen, TimeSpan Age)
{
    /// <summary>A replica says that it is there each second or so.</summary>
    public static readonly TimeSpan AwayAfter = TimeSpan.FromSeconds(10);

    public bool IsAway => Age > AwayAfter;
}

/// <summary>The fleet as this replica last saw it.</summary>
/// <param name="Connected">The database answers.</param>
/// <param name="At">When it last did; null for never.</param>
/// <param name="Error">Why it does not, or what is wrong here; null for nothing.</param>
/// <param name="Desired">What every replica is to serve; null before the first contact, and in an empty fleet.</param>
public sealed record FleetStatus(string Replica, string Database, bool Connected, DateTimeOffset? At, string? Error, FleetChange? Desired, IReadOnlyList<ReplicaStatus> Replicas)
{
    /// <summary>The rollout that runs, or the last one; null for none.</summary>
    public FleetRolloutStatus? Rollout { get; init; }
}
