using Gateway.Config;
using Gateway.ControlPlane.Apply;

namespace Gateway.ControlPlane.Rollout;

/// <summary>What the fleet has to say in a replica's rollout. Asked in the queue's jobs alone. An inversion: the fleet knows the director.</summary>
internal interface IFleetRollouts
{
    /// <summary>Before the first share of a rollout that came in here. Null: go on; else why not.</summary>
    Task<(ApplyOutcome Outcome, ConfigError Error)?> BeginAsync(RolloutRecord record, ApplyRequest request);

    /// <summary>The candidate serves its first share here.</summary>
    void Began(RolloutRecord record, ApplyRequest request);

    /// <summary>It came to nothing after <see cref="BeginAsync"/>.</summary>
    void NotBegun();

    /// <summary>The candidate passed its last stage here. True: it stays at its share, watched, until the fleet decides.</summary>
    bool Holds(RolloutRecord record);

    /// <summary>It has ended here, however.</summary>
    void Ended(RolloutRecord record);
}
