using Gateway.Config;
using Gateway.ControlPlane.Apply;

namespace Gateway.ControlPlane.Rollout;

/// <summary>How a rollout that came in here stands in the fleet.</summary>
/// <param name="Id">Of the fleet's rollout; 0 when it may not begin.</param>
/// <param name="Judges">How many replicas judge the candidate.</param>
/// <param name="Refusal">Why it may not begin; null when it may.</param>
internal readonly record struct FleetBeginning(long Id, int Judges, (ApplyOutcome Outcome, ConfigError Error)? Refusal);

/// <summary>What the fleet has to say in a replica's rollout. An inversion: the fleet knows the director. Asked in the queue's jobs, but for what says otherwise.</summary>
internal interface IFleetRollouts
{
    /// <summary>Before the first share of a rollout that came in here.</summary>
    Task<FleetBeginning> BeginAsync(RolloutRecord record, RolloutPlan plan, ApplyRequest request);

    /// <summary>The candidate serves its first share here.</summary>
    void Began(RolloutRecord record, RolloutPlan plan, ApplyRequest request);

    /// <summary>It came to nothing after <see cref="BeginAsync"/>.</summary>
    void NotBegun();

    /// <summary>The candidate passed its stage here. True: it stays at its share, watched, until the fleet decides.</summary>
    bool Holds(RolloutRecord record, bool isLastStage);

    /// <summary>Why the candidate must not be served on for want of contact with the fleet; null while it may.</summary>
    string? OutOfSight(RolloutRecord record, TimeSpan patience);

    /// <summary>It has ended here, however. False: it was to be taken back, and the fleet had made it its own already.</summary>
    Task<bool> EndedAsync(RolloutRecord record);

    /// <summary>The fleet's rollout of this id, as it was last seen; null for none. Any thread.</summary>
    RolloutRecord? Find(string id);

    /// <summary>The fleet's rollout that runs, or the last one; null for none. Any thread.</summary>
    RolloutRecord? Last { get; }

    /// <summary>The id is that of the fleet's rollout, or of this replica's part of one that runs. Any thread, as all that follows; not in a job of the queue.</summary>
    bool Concerns(string id);

    /// <summary>Someone's decision about the fleet's rollout, whichever replica was asked.</summary>
    Task<RolloutAnswer> ActAsync(string id, RolloutAction action, ChangeOrigin origin, CancellationToken cancellationToken);
}
