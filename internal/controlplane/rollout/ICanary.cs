using Gateway.Config;
using Gateway.DataPlane.Runtime;

namespace Gateway.ControlPlane.Rollout;

/// <summary>The candidate beside the live snapshot, and the judge of both. Used by one rollout at a time, one call after another.</summary>
internal interface ICanary
{
    /// <summary>The candidate gets the first share of requests from now on; errors say why not, and then nothing has changed.</summary>
    /// <exception cref="OperationCanceledException">Nothing has changed.</exception>
    Task<IReadOnlyList<ConfigError>> BeginAsync(GatewaySnapshot candidate, RolloutPlan plan, CancellationToken cancellationToken);

    void SetShare(double percent);

    /// <summary>Counts what was served so far, and judges it.</summary>
    CanaryLook Look();

    /// <summary>Makes the candidate the live snapshot; errors say why not, and then the canary goes on.</summary>
    Task<IReadOnlyList<ConfigError>> PromoteAsync();

    /// <summary>New requests get the live snapshot alone. Does nothing when none runs.</summary>
    Task EndAsync();
}
