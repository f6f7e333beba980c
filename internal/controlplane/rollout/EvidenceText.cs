using System.Globalization;
using Gateway.Core.Rollout;
using Judged = Gateway.Core.Rollout.RolloutEvidence;

namespace Gateway.ControlPlane.Rollout;

/// <summary>The judge's evidence in a sentence for a person.</summary>
internal static class EvidenceText
{
    /// <param name="evidence">The judge's.</param>
    /// <param name="traffic">Its counts.</param>
    public static RolloutEvidence Of(Judged evidence, RouteTraffic traffic) => new(traffic.Route, evidence.Gate, traffic.Live, traffic.Candidate, Reason(evidence, traffic));

    private static string Reason(Judged evidence, RouteTraffic traffic)
    {
        (VariantTraffic live, VariantTraffic candidate) = (traffic.Live, traffic.Candidate);
        if (evidence.Gate == RolloutJudge.LatencyGateName)
        {
            return string.Create(CultureInfo.InvariantCulture,
                $"route {traffic.Route}: half of {candidate.Requests} candidate requests took over {Text(candidate.Median)} and one in twenty over {Text(candidate.P95)}, of {live.Requests} live ones {Text(live.Median)} and {Text(live.P95)}");
        }
        if (evidence.Gate == RolloutJudge.ClientErrorGateName)
        {
            string of = traffic.Route == RouteCounts.All ? "all routes" : $"route {traffic.Route}";
            return string.Create(CultureInfo.InvariantCulture,
                $"{of}: {RolloutText.Percent(candidate.ClientErrorPercent)} of {candidate.Requests} candidate requests were answered with 4xx, {RolloutText.Percent(live.ClientErrorPercent)} of {live.Requests} live ones");
        }
        string what = traffic.Route == RouteCounts.NoRoute ? "found no route" : "failed";
        string where = traffic.Route == RouteCounts.NoRoute ? "" : $"route {traffic.Route}: ";
        return string.Create(CultureInfo.InvariantCulture, $"{where}{Percent(candidate)} of {candidate.Requests} candidate requests {what}, {Percent(live)} of {live.Requests} live ones");
    }

    private static string Percent(VariantTraffic traffic) => RolloutText.Percent(traffic.FailedPercent);

    private static string Text(TimeSpan? time) => time is { } known ? known.TotalMilliseconds.ToString(known.TotalMilliseconds < 10 ? "0.0" : "0", CultureInfo.InvariantCulture) + " ms" : "nothing known";
}
