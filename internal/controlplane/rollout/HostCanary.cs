using Gateway.Config;
using Gateway.Core.Rollout;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;

namespace Gateway.ControlPlane.Rollout;

/// <summary>The canary of the data plane, and the judge of what it counts.</summary>
internal sealed class HostCanary(DataPlaneHost host) : ICanary
{
    /// <summary>A reading has so many routes by name, and two groups of requests besides.</summary>
    private const int MostRoutes = 102;

    private RolloutJudge? _judge;
    private CanaryReading? _before;

    public async Task<IReadOnlyList<ConfigError>> BeginAsync(GatewaySnapshot candidate, RolloutPlan plan, CancellationToken cancellationToken)
    {
        // The document was valid, so the key is one.
        _ = CanaryPlan.TryParseKey(plan.Cohort, out RequestKey? key);
        RolloutGates gates = new()
        {
            ErrorRate = new ErrorRateGate { Alpha = plan.Gates.ErrorRate.Alpha },
            Latency = new LatencyGate { Alpha = plan.Gates.Latency.Alpha, Factor = plan.Gates.Latency.Factor },
            ClientErrors = new ClientErrorGate { Alpha = plan.Gates.ClientErrors.Alpha, MaxDifference = plan.Gates.ClientErrors.MaxDifferencePercent / 100 },
            MinSamples = plan.Gates.MinSamples,
        };
        // Each route has a part of alpha, so no more of them than there can be.
        int routes = candidate.Config.Routes.Select(static r => r.Name).Union((host.Current?.Config.Routes ?? []).Select(static r => r.Name)).Count();
        (_judge, _before) = (new RolloutJudge(gates, Math.Clamp(routes, 1, MostRoutes)), null);
        return await host.BeginCanaryAsync(candidate, new CanaryPlan(plan.Stages[0].Percent, key), cancellationToken);
    }

    public void SetShare(double percent) => host.SetCanaryShare(percent);

    public CanaryLook Look()
    {
        CanaryReading reading = host.ReadCanary() ?? throw new InvalidOperationException("the canary is gone");
        CanaryReading step = _before is null ? reading : reading.Since(_before);
        _before = reading;
        RolloutVerdict verdict = _judge!.Add(step.All, step.Routes);
        return new CanaryLook([.. reading.Routes.Select(TrafficOf)], verdict.Samples, verdict.Worse is { } worse ? EvidenceText.Of(worse, TrafficOf(worse.Counts)) : null);
    }

    public Task<IReadOnlyList<ConfigError>> PromoteAsync() => host.PromoteCanaryAsync(CancellationToken.None);

    public Task EndAsync() => host.EndCanaryAsync();

    private static RouteTraffic TrafficOf(RouteCounts route) => new(route.Route, TrafficOf(route.Stable), TrafficOf(route.Canary));

    private static VariantTraffic TrafficOf(VariantCounts counts) => new(counts.Requests, counts.Failures, QuantileOf(counts, 0.95)) { Median = QuantileOf(counts, 0.5), ClientErrors = counts.Rejected };

    private static TimeSpan? QuantileOf(VariantCounts counts, double quantile) => counts.Timed == 0 ? null : TimeSpan.FromSeconds(counts.Quantile(quantile));
}
