using System.Text.Json.Serialization;

namespace Gateway.Client;

/// <summary>Answer to <c>GET /admin/rollouts?limit=N</c>, newest first.</summary>
public sealed record RolloutList(IReadOnlyList<Rollout> Rollouts)
{
    /// <summary>The rollout that runs in the fleet, or the last one; each of its parts is among the <see cref="Rollouts"/> of its replica. Null outside a fleet.</summary>
    public Rollout? Fleet { get; init; }
}

/// <summary>One rollout: <c>GET /admin/rollouts/ID</c>, and the data of each event.</summary>
/// <param name="Name">Of the rollout in the configuration.</param>
/// <param name="Version">Of the candidate.</param>
/// <param name="Source"><c>admin</c> or <c>bundle</c>.</param>
/// <param name="Actor">Who began it.</param>
/// <param name="State"><c>running</c>, <c>paused</c>, <c>promoted</c>, <c>returned</c>, <c>refused</c> or <c>aborted</c>.</param>
/// <param name="Stage"><c>validate</c>, <c>expect</c>, <c>replay</c>, <c>canary</c> or <c>full</c>: the stage it is in, or ended in.</param>
/// <param name="Percent">The share of requests that get the candidate.</param>
/// <param name="StageIndex">Which of the stages.</param>
/// <param name="Stages">The canary's; empty for none.</param>
/// <param name="LeftMs">How long the stage goes on at least; null when it has ended.</param>
/// <param name="EndedAt">Null while it runs.</param>
/// <param name="Reason">For a person: why it ended so, or what it waits for; null for nothing.</param>
/// <param name="Note">What of the plan is the live configuration's; null for nothing.</param>
/// <param name="Evidence">What spoke against the candidate; null for nothing.</param>
/// <param name="Traffic">What both did, by route.</param>
public sealed record Rollout(
    string Id, [property: JsonPropertyName("rollout")] string Name, string Version, string Source, string Actor, string State, string Stage, double Percent, int StageIndex,
    IReadOnlyList<RolloutStage> Stages, double? LeftMs, DateTimeOffset StartedAt, DateTimeOffset? EndedAt, string? Reason, string? Note, RolloutEvidence? Evidence,
    IReadOnlyList<RolloutTraffic> Traffic)
{
    /// <summary>The parts of a fleet's rollout, by replica; null for one of a gateway's own.</summary>
    public IReadOnlyList<FleetRolloutPart>? Replicas { get; init; }

    /// <summary>Nothing more becomes of it.</summary>
    [JsonIgnore]
    public bool IsEnded => EndedAt is not null;
}

/// <param name="Percent">Of all requests.</param>
/// <param name="For">How long at least, as documents write it.</param>
public sealed record RolloutStage(double Percent, string For);

/// <summary>What convicted a candidate.</summary>
/// <param name="Route">The route on which it did worse.</param>
/// <param name="Gate"><c>errorRate</c>, <c>latency</c> or <c>clientErrors</c>.</param>
/// <param name="Reason">In one sentence, for a person.</param>
public sealed record RolloutEvidence(string Route, string Gate, VariantTraffic Live, VariantTraffic Candidate, string Reason);

/// <summary>A route with both variants beside each other.</summary>
public sealed record RolloutTraffic(string Route, VariantTraffic Live, VariantTraffic Candidate);

/// <summary>What one variant did since the rollout began.</summary>
/// <param name="Failures">Requests answered with 5xx, or broken off.</param>
/// <param name="FailedPercent">Their share.</param>
/// <param name="P50Ms">Median time in milliseconds; null before there was one.</param>
/// <param name="P95Ms">Time of the 95th percentile in milliseconds; null before there was one.</param>
public sealed record VariantTraffic(long Requests, long Failures, double FailedPercent, double? P50Ms, double? P95Ms)
{
    /// <summary>Requests answered with 4xx, by the upstream or the gateway.</summary>
    public long ClientErrors { get; init; }
}

/// <summary>A server-sent event of a rollout.</summary>
/// <param name="Kind"><c>state</c>, <c>stage</c> or <c>tick</c>.</param>
/// <param name="Rollout">How it stands.</param>
public sealed record RolloutEvent(string Kind, Rollout Rollout);
