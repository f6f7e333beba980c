namespace Gateway.ControlPlane.Apply;

/// <summary>The fleet that this gateway is a replica of, as the queue sees it: a change that comes in here is to be every replica's.</summary>
public interface IChangeSharing
{
    /// <summary>
    /// Writes the change to the shared store, has it published here, and commits both or neither; a commit whose answer is lost leaves it
    /// published and <see cref="SharingResult.Pending"/>. Called by the queue, one at a time.
    /// </summary>
    /// <param name="change">What is to be every replica's.</param>
    /// <param name="publish">False: it could not be published here, and nothing is to be shared.</param>
    Task<Sharing> ShareAsync(SharedChange change, Func<Task<bool>> publish);

    /// <summary>The rollout that runs in the fleet as this replica last saw it, for a person; null for none. What is shared is held against the store itself.</summary>
    string? RolloutSeen { get; }

    /// <summary>Why the shared store could not be reached when this replica last tried; null when it could.</summary>
    string? AwaySeen { get; }

    /// <summary>Takes back the rollout that runs in the fleet, at every replica. The candidate's version; null when none runs, or the shared store cannot be reached.</summary>
    Task<string?> EndRolloutAsync(string reason);
}

/// <summary>A change on its way to every replica.</summary>
/// <param name="Keep">How many changes the shared history keeps.</param>
public sealed record SharedChange(ConfigDocument Document, string Version, ChangeOrigin Origin, int Keep)
{
    /// <summary>As <see cref="ApplyRequest.IfMatch"/>, against what the fleet wants.</summary>
    public IReadOnlyList<string>? IfMatch { get; init; }

    /// <summary>The sequence that the fleet's last change must have; null for any.</summary>
    public long? After { get; init; }

    /// <summary>Of the signed bundle that brought it; null for none.</summary>
    public long? BundleSequence { get; init; }

    /// <summary>For a person.</summary>
    public string? Detail { get; init; }

    /// <summary>The rollout of the fleet that it is the promotion of; it must be running still. Null for any other change, which waits for what runs.</summary>
    public long? Ends { get; init; }

    /// <summary>The signed envelope that brought the document, for replicas that verify it themselves; empty for none.</summary>
    public ReadOnlyMemory<byte> Envelope { get; init; }

    /// <summary>It is published here also while the shared store is away, and shared later.</summary>
    public bool Always { get; init; }
}

public enum SharingResult
{
    /// <summary>Published here, and every replica's.</summary>
    Shared,

    /// <summary>Published here; the fleet does not know of it, or it is not known whether it does.</summary>
    Pending,

    /// <summary>It could not be published here.</summary>
    NotPublished,

    /// <summary>The fleet wants another version than the condition does, or its last change is another one.</summary>
    Stale,

    /// <summary>A bundle with this or a higher sequence was applied in the fleet already.</summary>
    StaleBundle,

    /// <summary>A rollout runs in the fleet.</summary>
    RolloutRunning,

    /// <summary>The rollout that it is the end of has ended already.</summary>
    RolloutEnded,

    /// <summary>The shared store cannot be reached.</summary>
    Unavailable,
}

/// <param name="Sequence">Of the change in the fleet; with <see cref="SharingResult.StaleBundle"/> that of the last bundle.</param>
/// <param name="Detail">Why not, for a person.</param>
public readonly record struct Sharing(SharingResult Result, long Sequence = 0, string? Detail = null);

/// <summary>Which change of the fleet a document is.</summary>
/// <param name="Sequence">Of the change.</param>
/// <param name="BundleSequence">The highest sequence of a signed bundle that was applied in the fleet up to it; null for none.</param>
/// <param name="Detail">Who brought it, and where, for a person.</param>
/// <param name="Unsigned">Why it must not be applied here; null when it may: it is signed, or was served here before, or nobody need sign.</param>
public sealed record FleetStamp(long Sequence, long? BundleSequence, string Detail, string? Unsigned = null)
{
    /// <summary>It goes back, so that a rollback here goes further back, and not to what that one left.</summary>
    public bool IsRollback { get; init; }
}
