namespace Gateway.Core.Rollout;

/// <summary>Why a candidate is worse: what was seen of a route on both sides since the rollout began, and how unlikely it was.</summary>
/// <param name="Route">The route; where all requests together gave the verdict, the one that has most of it.</param>
/// <param name="Gate"><c>errorRate</c>, <c>latency</c> or <c>clientErrors</c>.</param>
/// <param name="Scope">What was tested: the route, or <see cref="RouteCounts.All"/>.</param>
/// <param name="Counts">Of <paramref name="Route"/>.</param>
/// <param name="EValue">How much more likely it is that the candidate is worse; infinite when that is beyond a number.</param>
/// <param name="PValue">The chance of seeing as much by now of a candidate that is no worse; 1 when that test has ended, or has not begun.</param>
public sealed record RolloutEvidence(string Route, string Gate, string Scope, RouteCounts Counts, double EValue, double PValue)
{
    /// <summary>The candidate's requests that the verdict is of.</summary>
    public long Samples => Counts.Canary.Requests;

    /// <summary>Failures by requests; 0 without requests.</summary>
    public double StableErrorRate => RateOf(Counts.Stable);

    /// <inheritdoc cref="StableErrorRate"/>
    public double CanaryErrorRate => RateOf(Counts.Canary);

    /// <summary>
    /// The candidate's error rate (of client errors, theirs) by that beside it, or for latency its median by that beside it; null where the
    /// latter is 0.
    /// </summary>
    public double? Ratio => Gate switch
    {
        RolloutJudge.LatencyGateName => Quotient(Counts.Canary.Quantile(0.5), Counts.Stable.Quantile(0.5)),
        RolloutJudge.ClientErrorGateName => Quotient(Share(Counts.Canary.Rejected, Counts.Canary), Share(Counts.Stable.Rejected, Counts.Stable)),
        _ => Quotient(CanaryErrorRate, StableErrorRate),
    };

    private static double? Quotient(double of, double by) => by > 0 ? of / by : null;

    private static double RateOf(VariantCounts counts) => Share(counts.Failures, counts);

    private static double Share(long part, VariantCounts counts) => counts.Requests > 0 ? (double)part / counts.Requests : 0;
}
