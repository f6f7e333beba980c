using Gateway.Config;

namespace Gateway.DataPlane.Transport;

/// <summary>How to connect to one endpoint. Compared by value: equal settings share an <see cref="Runtime.Upstream"/>.</summary>
/// <param name="Address">As in the document: <c>host:port</c>, <c>[v6]:port</c> or <c>unix:PATH</c>.</param>
/// <param name="MaxConnections">0 for no limit.</param>
/// <param name="MaxIdle">Over all event loops together.</param>
/// <param name="MaxLifetime"><see cref="TimeSpan.Zero"/> for no limit.</param>
/// <param name="Tls">Null for clear text.</param>
internal sealed record UpstreamSettings(
    string Address,
    UpstreamProtocol Protocol,
    TimeSpan ConnectTimeout,
    int MaxConnections,
    int MaxIdle,
    TimeSpan IdleTimeout,
    TimeSpan MaxLifetime,
    UpstreamTls? Tls)
{
    /// <param name="tls">What <see cref="UpstreamTls.Load"/> made of the pool's TLS section; null when the pool has none.</param>
    public static UpstreamSettings From(PoolConfig pool, EndpointConfig endpoint, UpstreamTls? tls) => new(
        endpoint.Address,
        pool.Protocol,
        pool.Connections.ConnectTimeout,
        pool.Connections.MaxPerEndpoint,
        pool.Connections.MaxIdlePerEndpoint,
        pool.Connections.IdleTimeout,
        pool.Connections.MaxLifetime,
        tls ?? (pool.Protocol == UpstreamProtocol.Https ? UpstreamTls.Default : null));
}
