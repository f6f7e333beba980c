using Gateway.ControlPlane.Rollout;

namespace Gateway.ControlPlane.Fleet;

/// <summary>A rollout through the replicas of a fleet.</summary>
/// <param name="Rollout">Its name in the configuration.</param>
/// <param name="State"><c>running</c>, <c>promoted</c>, <c>returned</c> or <c>aborted</c>.</param>
/// <param name="Reason">Why it ended so, and where; null while it runs.</param>
/// <param name="Replicas">In the order in which they try the candidate, where that is one after another.</param>
public sealed record FleetRolloutStatus(long Id, string Rollout, string Version, string State, string? Reason, DateTimeOffset StartedAt, DateTimeOffset? EndedAt, IReadOnlyList<RolloutPart> Replicas)
{
    /// <summary>What the fleet's rollouts are called where those of one replica are digits.</summary>
    private const string Prefix = "fleet-";

    /// <summary>Of the candidate's bytes.</summary>
    public string Digest { get; init; } = "";

    /// <summary>Where it came from, and who brought it.</summary>
    public string Source { get; init; } = "";

    public string Actor { get; init; } = "";

    /// <summary>All replicas serve the same stage at once; else one after another.</summary>
    public bool Together { get; init; }

    public IReadOnlyList<RolloutStage> Stages { get; init; } = [];

    public bool Paused { get; init; }

    /// <summary>Who wants it promoted now; null for nobody.</summary>
    public string? Promote { get; init; }

    /// <summary>That it ended so says nothing against the candidate.</summary>
    public bool Retry { get; init; }

    public bool Runs => State == "running";

    /// <summary>It ended, and its candidate should not come again by itself.</summary>
    public bool HasFailed => State is "returned" or "aborted" && !Retry;

    public string Name => NameOf(Id);

    public static string NameOf(long id) => FormattableString.Invariant($"{Prefix}{id}");

    /// <summary>Stages that every replica that takes part has passed.</summary>
    public int PassedByAll => Replicas.Where(static p => !p.IsOut).Select(static p => p.Passed).DefaultIfEmpty(0).Min();

    /// <summary>The whole as one rollout.</summary>
    public RolloutRecord AsRecord()
    {
        RolloutPart[] parts = [.. Replicas.Where(static p => !p.IsOut)];
        RolloutState state = !Runs ? RolloutText.State(State) ?? RolloutState.Aborted : Paused ? RolloutState.Paused : RolloutState.Running;
        return new RolloutRecord
        {
            Id = Name,
            Rollout = Rollout,
            Version = Version,
            Digest = Digest,
            Source = Source,
            Actor = Actor,
            State = state,
            Stage = state == RolloutState.Promoted ? RolloutStages.Full : RolloutStages.Canary,
            Stages = Stages,
            StageIndex = Math.Clamp(parts.Select(static p => p.Passed).DefaultIfEmpty(0).Min(), 0, Math.Max(Stages.Count - 1, 0)),
            Percent = state == RolloutState.Promoted ? 100 : Runs && parts.Length > 0 ? parts.Average(static p => p.Percent) : 0,
            StartedAt = StartedAt,
            EndedAt = EndedAt,
            Reason = Reason,
            Retry = Retry,
            Replicas = Replicas,
        };
    }
}
