using Gateway.Config;
using Gateway.Core.Outlier;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Server;

/// <summary>How a pool's endpoints are to be watched, as its document says.</summary>
internal static class HealthCompiler
{
    public static HealthPlan Compile(PoolConfig pool) => new(
        Passive(pool.Health.Passive),
        pool.Outlier is { } outlier ? Outlier(outlier) : null,
        pool.Health.Active is { } active ? Probe(active) : null);

    private static ProbePlan Probe(ActiveHealthConfig active) => new(
        active.Type switch
        {
            HealthCheckType.Tcp => ProbeKind.Tcp,
            HealthCheckType.Grpc => ProbeKind.Grpc,
            _ => ProbeKind.Http,
        },
        active.Path ?? "/",
        active.Host,
        active.Service ?? "",
        new StatusRanges(active.Expect ?? ActiveHealthConfig.DefaultExpect),
        active.Body,
        active.Interval,
        active.Timeout,
        active.UnhealthyAfter,
        active.HealthyAfter);

    private static PassiveSettings? Passive(PassiveHealthConfig passive) =>
        passive.Failures == 0 ? null : new PassiveSettings(passive.Failures, passive.Eject);

    private static OutlierSettings Outlier(OutlierConfig outlier) => new()
    {
        ConsecutiveFailures = outlier.ConsecutiveFailures,
        FailurePercent = outlier.FailurePercent,
        MinRequests = outlier.MinRequests,
        Window = outlier.Window,
        BaseEjection = outlier.BaseEjection,
        MaxEjection = outlier.MaxEjection,
        MaxEjectedPercent = outlier.MaxEjectedPercent,
        LatencyMultiplier = outlier.Latency.Multiplier,
        LatencyIntervals = outlier.Latency.Intervals,
    };
}
