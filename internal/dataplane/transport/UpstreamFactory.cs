using Gateway.Config;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Transport;

/// <param name="loops">The event loops that clients' connections live on; null on the sockets transport.</param>
internal sealed class UpstreamFactory(EventLoop[]? loops)
{
    /// <summary>
    /// The connections to one endpoint; opens none before the first request. HTTP/1.1 in clear text goes over the loops, everything else
    /// (TLS, HTTP/2) through .NET's own handler.
    /// </summary>
    public Upstream Create(UpstreamSettings settings) =>
        loops is not null && settings is { Protocol: UpstreamProtocol.Http1, Tls: null } ? new LoopUpstream(settings, loops) : new HttpClientUpstream(settings);
}
