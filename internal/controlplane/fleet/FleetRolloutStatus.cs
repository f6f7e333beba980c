namespace Gateway.ControlPlane.Fleet;

/// <summary>A rollout through the replicas of a fleet, one after another.</summary>
/// <param name="Rollout">Its name in the configuration.</param>
/// <param name="State"><c>running</c>, <c>promoted</c>, <c>returned</c> or <c>aborted</c>.</param>
/// <param name="Reason">Why it ended so, and where; null while it runs.</param>
/// <param name="Replicas">In the order in which they try the candidate.</param>
public sealed record FleetRolloutStatus(long Id, string Rollout, string Version, string State, string? Reason, DateTimeOffset StartedAt, DateTimeOffset? EndedAt, IReadOnlyList<FleetRolloutPart> Replicas)
{
    public bool Runs => State == "running";
}

/// <summary>A replica's part.</summary>
/// <param name="State"><c>waiting</c>, <c>running</c>, <c>passed</c> (the candidate stays at its last share), <c>skipped</c> (away when its turn came), or how it ended.</param>
public sealed record FleetRolloutPart(string Replica, string State, string? Reason);
