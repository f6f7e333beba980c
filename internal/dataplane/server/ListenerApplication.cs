using Gateway.Core.Limits;
using Gateway.DataPlane.Proxy;
using Gateway.DataPlane.Proxy.Direct;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Gateway.DataPlane.Server;

/// <summary>The application as one running server calls it, whatever its context type.</summary>
internal abstract class ListenerApplication
{
    /// <summary>From now on each response is the last of its connection: HTTP/1.1 says Connection: close, HTTP/2 sends GOAWAY.</summary>
    public abstract void Drain();

    public abstract Task StartAsync(KestrelServer server, CancellationToken cancellationToken);

    /// <summary>The short way of plain HTTP/1.1 requests (<see cref="DirectHttp1"/>) before Kestrel's; null where the application has none.</summary>
    public virtual ConnectionDelegate? Direct(ConnectionDelegate kestrel, TimeSpan idle, TimeProvider time) => null;
}

/// <summary>Counts what is in flight, and lets clients go while the server drains.</summary>
/// <param name="inFlight">Requests and upgraded connections of all servers.</param>
internal sealed class ListenerApplication<TContext>(IHttpApplication<TContext> inner, LeaseCounter inFlight)
    : ListenerApplication, IHttpApplication<TContext>
    where TContext : notnull
{
    private volatile bool _draining;

    public override void Drain() => _draining = true;

    public override Task StartAsync(KestrelServer server, CancellationToken cancellationToken) => server.StartAsync(this, cancellationToken);

    public override ConnectionDelegate? Direct(ConnectionDelegate kestrel, TimeSpan idle, TimeProvider time) =>
        inner is GatewayApplication gateway && this is IHttpApplication<Exchange> counted
            ? new DirectHttp1(kestrel, counted, gateway, idle, time).OnConnectionAsync
            : null;

    public TContext CreateContext(IFeatureCollection contextFeatures)
    {
        inFlight.Enter();
        if (_draining) contextFeatures.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
        return inner.CreateContext(contextFeatures);
    }

    public Task ProcessRequestAsync(TContext context) => inner.ProcessRequestAsync(context);

    public void DisposeContext(TContext context, Exception? exception)
    {
        inFlight.Leave();
        inner.DisposeContext(context, exception);
    }
}
