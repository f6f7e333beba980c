using Gateway.Core.Retry;

namespace Gateway.DataPlane.Runtime;

/// <summary>How the attempts of a route are made, as one snapshot has it. Immutable; routes with the same settings share one.</summary>
internal sealed class AttemptPlan
{
    public required RetryPolicy Retry { get; init; }
    public required Backoff Backoff { get; init; }

    /// <summary>Request bodies up to this many bytes are kept to be sent again.</summary>
    public required int BufferBytes { get; init; }

    public required RetryBudgetSettings Budget { get; init; }

    /// <summary>Null for no bound of each client's own.</summary>
    public RetryBudgetSettings? PerClient { get; init; }

    /// <summary>The field that tells clients apart; null for their addresses.</summary>
    public string? ClientHeader { get; init; }

    /// <summary>Null for no hedging.</summary>
    public HedgePlan? Hedge { get; init; }

    /// <summary>The field in which clients say how long they wait; null for none.</summary>
    public string? DeadlineHeader { get; init; }
}

/// <summary>When a second attempt is made beside the first.</summary>
/// <param name="After">Null for the 95th percentile of the route's latest responses.</param>
internal sealed record HedgePlan(TimeSpan? After);
