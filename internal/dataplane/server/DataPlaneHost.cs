using Gateway.Config;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Server;

/// <summary>
/// The data plane as the control plane sees it: compile a document into a snapshot, publish a snapshot, look at what runs, stop.
/// <see cref="Compile"/> may be called from any thread; <see cref="PublishAsync"/> by one caller at a time.
/// </summary>
public sealed class DataPlaneHost(DataPlaneOptions options) : IAsyncDisposable
{
    /// <summary>The snapshot that new requests get; null before the first publish.</summary>
    public GatewaySnapshot? Current => throw new NotImplementedException(options.ToString());

    /// <summary>Replaced snapshots that requests still hold.</summary>
    public int RetiredSnapshots => throw new NotImplementedException();

    public GatewayMetrics Metrics => throw new NotImplementedException();

    /// <summary>
    /// Turns a valid document into a snapshot. Pure: reads the certificate files that the document names, touches nothing live, and the
    /// state of what is new belongs to the candidate until it is published. All errors are collected.
    /// </summary>
    public CompileResult Compile(GatewayConfig config, string version, string source) => throw new NotImplementedException();

    /// <summary>
    /// Binds the sockets that are new, then makes the candidate current with one write, then drains what is gone. When a socket cannot be
    /// bound, nothing has changed and the errors say which; an empty list is success.
    /// </summary>
    public Task<IReadOnlyList<ConfigError>> PublishAsync(GatewaySnapshot candidate, CancellationToken cancellationToken) => throw new NotImplementedException();

    public IReadOnlyList<ListenerStatus> Listeners() => throw new NotImplementedException();

    public IReadOnlyList<PoolStatus> Pools() => throw new NotImplementedException();

    /// <summary>Stops accepting, tells clients (Connection: close, GOAWAY), waits for what is in flight up to <paramref name="grace"/>, aborts the rest.</summary>
    public Task<StopReport> StopAsync(TimeSpan grace) => throw new NotImplementedException();

    public ValueTask DisposeAsync() => throw new NotImplementedException();
}
