namespace Gateway.ControlPlane.Rollout;

/// <summary>A replica's part of a fleet's rollout.</summary>
/// <param name="State"><c>waiting</c>, <c>running</c>, <c>passed</c> (the candidate stays at its last share), <c>skipped</c> (away when its turn came), or how it ended.</param>
/// <param name="Passed">How many stages it has passed.</param>
/// <param name="Percent">The share of its requests that get the candidate.</param>
/// <param name="Candidate">What the candidate did there.</param>
/// <param name="Live">What was live did beside it.</param>
public sealed record RolloutPart(string Replica, string State, string? Reason, int Passed, double Percent, VariantTraffic Candidate, VariantTraffic Live)
{
    /// <summary>It takes no part.</summary>
    public bool IsOut => State == "skipped";

    public bool IsDone => State is "passed" or "skipped";

    public bool Plays => State is "running" or "passed";
}
