using Gateway.Config;
using Gateway.Core.Outlier;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Server;

/// <summary>How a pool's endpoints are to be watched, as its document says.</summary>
internal static class HealthCompiler
{
    public static HealthPlan Compile(PoolConfig pool) => new(Passive(pool.Health.Passive), pool.Outlier is { } outlier ? Outlier(outlier) : null);

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
