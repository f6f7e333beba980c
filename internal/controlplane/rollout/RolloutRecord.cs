namespace Gateway.ControlPlane.Rollout;

/// <summary>Where a rollout is. The names are stored and part of the admin API.</summary>
public enum RolloutState
{
    /// <summary>The candidate serves its share, and is watched.</summary>
    Running,

    /// <summary>As running, but no further stage begins.</summary>
    Paused,

    /// <summary>Ended: the candidate is live.</summary>
    Promoted,

    /// <summary>Ended: the candidate did worse and was taken back.</summary>
    Returned,

    /// <summary>Ended: the candidate failed a check, and no request ever got it.</summary>
    Refused,

    /// <summary>Ended: someone took the candidate back, or the process ended.</summary>
    Aborted,
}

/// <summary>A share of requests, and how long it is served at least.</summary>
/// <param name="Percent">Of all requests, above 0 and up to 100.</param>
public sealed record RolloutStage(double Percent, TimeSpan For);

/// <summary>One rollout, as it is stored and as the admin API shows it. Immutable: each change is another record.</summary>
public sealed record RolloutRecord
{
    /// <summary>Digits; rises with each rollout, over restarts.</summary>
    public required string Id { get; init; }

    /// <summary>Its name in the configuration.</summary>
    public required string Rollout { get; init; }

    /// <summary>Of the candidate; for a bundle whose configuration could not be read, the digest of its bytes.</summary>
    public required string Version { get; init; }

    /// <summary>Lower-case hex SHA-256 of the candidate's exact bytes: what a bundle calls its version.</summary>
    public required string Digest { get; init; }

    /// <summary>Of the bundle that brought it; null for none.</summary>
    public long? BundleSequence { get; init; }

    /// <summary>What was live when it began; null for nothing.</summary>
    public string? From { get; init; }

    /// <summary><c>admin</c> or <c>bundle</c>.</summary>
    public required string Source { get; init; }

    /// <summary>Who began it.</summary>
    public string Actor { get; init; } = "";

    public required RolloutState State { get; init; }

    /// <summary><c>validate</c>, <c>expect</c>, <c>replay</c>, <c>canary</c> or <c>full</c>: the stage it is in, or ended in.</summary>
    public required string Stage { get; init; }

    /// <summary>The canary's stages; empty for none.</summary>
    public IReadOnlyList<RolloutStage> Stages { get; init; } = [];

    /// <summary>Index of the canary's stage.</summary>
    public int StageIndex { get; init; }

    /// <summary>The share of requests that get the candidate.</summary>
    public double Percent { get; init; }

    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>Null while it runs.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>For a person: why it ended so, or what it waits for.</summary>
    public string? Reason { get; init; }

    /// <summary>What of the plan is the live configuration's, for a person; null for nothing.</summary>
    public string? Note { get; init; }

    /// <summary>What spoke against the candidate; null for nothing.</summary>
    public RolloutEvidence? Evidence { get; init; }

    /// <summary>What both variants did, by route, as it was read last.</summary>
    public IReadOnlyList<RouteTraffic> Traffic { get; init; } = [];

    /// <summary>The parts of a fleet's rollout; empty for one of a replica's own.</summary>
    public IReadOnlyList<RolloutPart> Replicas { get; init; } = [];

    /// <summary>It says nothing against the candidate, which may come again by itself: the process ended, or the machine failed.</summary>
    public bool Retry { get; init; }

    public bool IsEnded => State is not (RolloutState.Running or RolloutState.Paused);

    /// <summary>It ended, and its candidate should not come again by itself.</summary>
    public bool HasFailed => State is RolloutState.Returned or RolloutState.Refused or RolloutState.Aborted && !Retry;
}
