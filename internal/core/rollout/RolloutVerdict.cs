namespace Gateway.Core.Rollout;

/// <summary>What is known of a candidate by now.</summary>
/// <param name="Worse">Why it must be returned; null to go on.</param>
/// <param name="IsEnough">It has served as many requests as it must before it may be promoted.</param>
/// <param name="Samples">The candidate's requests.</param>
public sealed record RolloutVerdict(RolloutEvidence? Worse, bool IsEnough, long Samples);
