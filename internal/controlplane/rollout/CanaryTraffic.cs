namespace Gateway.ControlPlane.Rollout;

/// <summary>What one variant did on a route since the canary began.</summary>
/// <param name="Requests">That ended.</param>
/// <param name="Failures">Those of them that were answered with 5xx, or broke off.</param>
/// <param name="P95">Time of the 95th percentile; null before there was one.</param>
public sealed record VariantTraffic(long Requests, long Failures, TimeSpan? P95)
{
    /// <summary>Time that half of them took at most; null before there was one.</summary>
    public TimeSpan? Median { get; init; }

    /// <summary>Those of <see cref="Requests"/> that were answered with 4xx, by the upstream or the gateway.</summary>
    public long ClientErrors { get; init; }

    public double ClientErrorPercent => Requests == 0 ? 0 : 100.0 * ClientErrors / Requests;

    public double FailedPercent => Requests == 0 ? 0 : 100.0 * Failures / Requests;
}

/// <summary>A route with both variants beside each other.</summary>
public sealed record RouteTraffic(string Route, VariantTraffic Live, VariantTraffic Candidate);

/// <summary>What convicted a candidate.</summary>
/// <param name="Route">The route on which it did worse.</param>
/// <param name="Gate"><c>errorRate</c>, <c>latency</c> or <c>clientErrors</c>: the judge's word.</param>
/// <param name="Reason">Both variants in one sentence, for a person.</param>
public sealed record RolloutEvidence(string Route, string Gate, VariantTraffic Live, VariantTraffic Candidate, string Reason);

/// <summary>What a look at the canary showed.</summary>
/// <param name="Samples">Requests that the candidate has served since the canary began.</param>
/// <param name="Worse">Null while nothing speaks against it.</param>
internal sealed record CanaryLook(IReadOnlyList<RouteTraffic> Traffic, long Samples, RolloutEvidence? Worse)
{
    public static readonly CanaryLook Nothing = new([], 0, null);
}
