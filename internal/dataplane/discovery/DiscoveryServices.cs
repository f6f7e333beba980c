using Gateway.Core.Pool;
using Gateway.DataPlane.Obs;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Discovery;

/// <summary>What all discoveries share.</summary>
internal sealed class DiscoveryServices(GatewayMetrics metrics, TimeProvider time, ILogger log)
{
    public TimeProvider Time { get; } = time;
    public ILogger Log { get; } = log;
    public PickRandom Random => PickRandom.PerThread;

    public MetricFamily Resolutions { get; } = metrics.Counter(
        "discovery_resolutions_total", "Resolutions of the names under pools' discovery: ok, or failed, when the last answer stays.", "result");
}
