using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Runtime;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Proxy;

/// <summary>What all listeners' applications share.</summary>
/// <param name="accessLog">Null for none.</param>
internal sealed class ProxyServices(SnapshotStore snapshots, GatewayMetrics metrics, TimeProvider time, ILoggerFactory loggers, AccessLog? accessLog = null)
{
    public SnapshotStore Snapshots { get; } = snapshots;
    public GatewayMetrics Metrics { get; } = metrics;
    public AccessLog? AccessLog { get; } = accessLog;
    public TimeProvider Time { get; } = time;
    public ILogger Log { get; } = loggers.CreateLogger("Gateway.Proxy");
    public RequestIdSource RequestIds { get; } = new();

    /// <summary>Off unless the configuration turns it on.</summary>
    public RequestRing Recorded { get; init; } = new();

    /// <summary>Turns requests away while the whole process is hard pressed.</summary>
    public LoadShedder Shedder { get; init; } = new();

    public MetricFamily RateLimited { get; } = metrics.Counter(
        "rate_limited_total", "Requests that came too soon after others of their client.", "route");

    public MetricFamily OverloadRejections { get; } = metrics.Counter(
        "overload_rejections_total", "Requests that were turned away because their route, or the whole process, had more than it can do.", "route");
}
