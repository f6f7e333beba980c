using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace Gateway.DataPlane.Server;

/// <summary>One open client connection, as the server that drains must know it.</summary>
internal sealed class ClientConnection(ConnectionContext context)
{
    /// <summary>Idle: closes. Busy: HTTP/1.1 closes after the response, which says so; HTTP/2 gets GOAWAY. Upgraded: goes on. May be called often.</summary>
    public void RequestClose() => context.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();

    public void Abort() => context.Abort(new ConnectionAbortedException("The gateway is stopping and the grace time is over."));
}
