using Gateway.Config;
using Gateway.Core.Rollout;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;

namespace Gateway.ControlPlane.Rollout;

/// <summary>The canary of the data plane.</summary>
internal sealed class HostCanary(DataPlaneHost host) : ICanary
{
    public Task<IReadOnlyList<ConfigError>> BeginAsync(GatewaySnapshot candidate, RolloutPlan plan)
    {
        // The document was valid, so the key is one.
        _ = CanaryPlan.TryParseKey(plan.Cohort, out RequestKey? key);
        return host.BeginCanaryAsync(candidate, new CanaryPlan(plan.Stages[0].Percent, key), CancellationToken.None);
    }

    public void SetShare(double percent) => host.SetCanaryShare(percent);

    public CanaryLook Look()
    {
        CanaryReading reading = host.ReadCanary() ?? throw new InvalidOperationException("the canary is gone");
        return new CanaryLook([.. reading.Routes.Select(static r => new RouteTraffic(r.Route, Traffic(r.Stable), Traffic(r.Canary)))], reading.All.Canary.Requests, null);
    }

    public Task<IReadOnlyList<ConfigError>> PromoteAsync() => host.PromoteCanaryAsync(CancellationToken.None);

    public Task EndAsync() => host.EndCanaryAsync();

    private static VariantTraffic Traffic(VariantCounts counts) =>
        new(counts.Requests, counts.Failures, counts.Timed == 0 ? null : TimeSpan.FromSeconds(counts.Quantile(0.95)));
}
