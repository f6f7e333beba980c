using Gateway.DataPlane.Obs;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Health;

/// <summary>What all pools' monitors share.</summary>
internal sealed class HealthServices(GatewayMetrics metrics, TimeProvider time, ILogger log)
{
    public TimeProvider Time { get; } = time;
    public ILogger Log { get; } = log;
    public MetricFamily Ejections { get; } = metrics.Counter(
        "outlier_ejections_total", "Endpoints left alone for a while, by what was wrong with them.", "pool", "reason");

    /// <summary>Since some moment, never going back.</summary>
    public TimeSpan Now => Time.GetElapsedTime(0);
}
