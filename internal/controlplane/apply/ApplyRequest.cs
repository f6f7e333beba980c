using Gateway.Config;

namespace Gateway.ControlPlane.Apply;

/// <summary>Who asks for a change, and from where, for the history and the audit log.</summary>
/// <param name="Source"><c>file</c>, <c>admin</c>, <c>bundle</c>, <c>rollback</c>, <c>fleet</c> or <c>last-good</c>.</param>
/// <param name="Actor">Name of the token and subject of the client certificate, or the file's path.</param>
/// <param name="From">The client's address; empty for the file.</param>
public sealed record ChangeOrigin(string Source, string Actor, string From);

/// <summary>A document to apply.</summary>
public sealed record ApplyRequest(ConfigDocument Document, ChangeOrigin Origin)
{
    /// <summary>Versions one of which must be live; null for no condition, empty for any (<c>If-Match: *</c>).</summary>
    public IReadOnlyList<string>? IfMatch { get; init; }

    /// <summary>Takes every step but the publish.</summary>
    public bool DryRun { get; init; }

    /// <summary>The verified bundle that the document came in; null for one that nobody signed.</summary>
    public BundleStamp? Bundle { get; init; }

    /// <summary>Name of the rollout that it is to go through; null for none: it is applied at once.</summary>
    public string? Rollout { get; init; }

    /// <summary>The change of the fleet that this is; null for one that came in here.</summary>
    public FleetStamp? Fleet { get; init; }

    /// <summary>The fleet's rollout that this is a replica's part of; null for none.</summary>
    public long? FleetRollout { get; init; }

    /// <summary>How many replicas judge the candidate, each by itself.</summary>
    public int Judges { get; init; } = 1;

    /// <summary>Nobody asked for it: it must not be tried again when it has failed before, at whatever replica.</summary>
    public bool ByItself { get; init; }

    /// <summary>Cancelled when a rollback came after it, and before it was live. Of a change of the fleet never: it is what the fleet wants.</summary>
    internal CancellationToken Overtaken { get; init; }

    internal string? Detail => Fleet?.Detail ?? Bundle?.Detail;

    internal long? BundleSequence => Fleet is null ? Bundle?.Sequence : Fleet.BundleSequence;
}

/// <summary>What is kept of a verified bundle.</summary>
/// <param name="Sequence">Must be above that of every bundle applied before.</param>
/// <param name="Detail">Sequence, signers and source, for a person.</param>
public sealed record BundleStamp(long Sequence, string Detail)
{
    /// <summary>Its bytes, to be verified by every replica of a fleet; empty outside one.</summary>
    public ReadOnlyMemory<byte> Envelope { get; init; }
}

public enum ApplyOutcome
{
    /// <summary>Live now.</summary>
    Applied,

    /// <summary>The version is the live one already; nothing was published.</summary>
    Unchanged,

    /// <summary>A dry run that would have been applied.</summary>
    Valid,

    /// <summary>The document is bad, or one of its addresses cannot be bound. Nothing has changed.</summary>
    Rejected,

    /// <summary>Nobody signed it, and this gateway takes signed configurations only.</summary>
    Unsigned,

    /// <summary>Another version is live than <see cref="ApplyRequest.IfMatch"/> wants.</summary>
    Stale,

    /// <summary>A rollout runs; nothing else is applied until it has ended.</summary>
    RolloutRunning,

    /// <summary>The rollout that this is the end of has ended already, at another replica.</summary>
    RolloutEnded,

    /// <summary>The fleet has a change that has not come here yet, and this one was made without it.</summary>
    Behind,

    /// <summary>The candidate serves its first share; what becomes of it is the rollout's matter.</summary>
    RollingOut,

    /// <summary>A rollback came before it was live, and does not wait for it. Nothing has changed.</summary>
    Overtaken,

    /// <summary>Too many replaced snapshots are still in use.</summary>
    Pressure,

    /// <summary>Rollback: no such version is stored, or there is none to go back to.</summary>
    UnknownVersion,

    /// <summary>The store failed before anything was published, or a defect of ours.</summary>
    Failed,

    /// <summary>The fleet's shared store cannot be reached, so that the change could not reach every replica. Nothing has changed.</summary>
    FleetUnavailable,

    /// <summary>The gateway is shutting down.</summary>
    Stopping,
}

/// <param name="Version">Of the document that was given; null when it could not be read.</param>
/// <param name="LiveVersion">What is live after the attempt; null before the first apply.</param>
public sealed record ApplyResult(
    ApplyOutcome Outcome,
    string? Version,
    string? LiveVersion,
    IReadOnlyList<ConfigError> Errors,
    IReadOnlyList<ConfigError> Warnings,
    TimeSpan Duration)
{
    /// <summary>Of a rollback: how long after it was asked for it was live; what is durable of it was written down after that.</summary>
    public TimeSpan? LiveAfter { get; init; }

    /// <summary>Of a rollback: the version that was gone back from; null for what was live.</summary>
    public string? From { get; init; }

    public bool IsGood => Outcome is ApplyOutcome.Applied or ApplyOutcome.Unchanged or ApplyOutcome.Valid or ApplyOutcome.RollingOut;

    /// <summary>The outcome as metrics and the audit log name it.</summary>
    public string ResultName => NameOf(Outcome);

    public static string NameOf(ApplyOutcome outcome) => outcome switch
    {
        ApplyOutcome.Applied => "applied",
        ApplyOutcome.Unchanged => "unchanged",
        ApplyOutcome.Valid => "valid",
        ApplyOutcome.Rejected => "rejected",
        ApplyOutcome.Unsigned => "unsigned_refused",
        ApplyOutcome.Stale => "stale",
        ApplyOutcome.RollingOut => "rolling_out",
        ApplyOutcome.RolloutRunning => "rollout_running",
        ApplyOutcome.RolloutEnded => "rollout_ended",
        ApplyOutcome.Behind => "behind",
        ApplyOutcome.Overtaken => "overtaken",
        ApplyOutcome.Pressure => "pressure",
        ApplyOutcome.UnknownVersion => "unknown_version",
        ApplyOutcome.FleetUnavailable => "fleet_unavailable",
        ApplyOutcome.Stopping => "stopping",
        _ => "failed",
    };
}
