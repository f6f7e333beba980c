using Gateway.DataPlane.Obs;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Health;

/// <summary>What all pools' monitors share.</summary>
internal sealed class HealthServices(GatewayMetrics metrics, TimeProvider time, ILogger log)
{
    private int _seed = (int)time.GetTimestamp();

    public TimeProvider Time { get; } = time;
    public ILogger Log { get; } = log;
    public MetricFamily Ejections { get; } = metrics.Counter(
        "outlier_ejections_total", "Endpoints left alone for a while, by what was wrong with them.", "pool", "reason");

    public MetricFamily Probes { get; } = metrics.Counter("health_checks_total", "Probes of endpoints, by what they said.", "pool", "result");

    /// <summary>Since some moment, never going back.</summary>
    public TimeSpan Now => Time.GetElapsedTime(0);

    /// <summary>Another one each time: for randomness that nobody needs to be secret.</summary>
    public int NextSeed() => Interlocked.Add(ref _seed, 0x61C88647);
}
