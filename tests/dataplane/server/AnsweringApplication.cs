using System.Text;
using Gateway.Core.Limits;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;

namespace Gateway.DataPlane.Tests.Server;

/// <summary>
/// In place of the proxy: answers with the snapshot's version and the listener's name, protocol and TLS facts, after it has read the body.
/// <c>/hold</c> answers when the test says so; an upgrade echoes.
/// </summary>
internal sealed class AnsweringApplication(SnapshotStore store, ListenerState listener, Held held) : IHttpApplication<IFeatureCollection>
{
    public static Func<ListenerState, SnapshotStore, LeaseCounter, ListenerApplication> Factory(Held held) =>
        (listener, store, inFlight) => new ListenerApplication<IFeatureCollection>(new AnsweringApplication(store, listener, held), inFlight);

    public IFeatureCollection CreateContext(IFeatureCollection contextFeatures) => contextFeatures;

    public async Task ProcessRequestAsync(IFeatureCollection context)
    {
        GatewaySnapshot snapshot = store.Acquire();
        bool bound = true;
        try
        {
            ListenerModel model = listener.In(snapshot);
            IHttpRequestFeature request = context.GetRequiredFeature<IHttpRequestFeature>();
            if (context.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true } upgrade)
            {
                context.GetRequiredFeature<IHttpResponseFeature>().Headers.Upgrade = "echo";
                Stream tunnel = await upgrade.UpgradeAsync();
                store.Release(snapshot);
                bound = false;
                byte[] buffer = new byte[1024];
                for (int n; (n = await tunnel.ReadAsync(buffer)) > 0;)
                {
                    await tunnel.WriteAsync(buffer.AsMemory(0, n));
                    await tunnel.FlushAsync();
                }
                return;
            }
            if (request.Path == "/peer")
            {
                // Who the connection is from, and to, as everything above the transport sees it.
                IHttpConnectionFeature connection = context.GetRequiredFeature<IHttpConnectionFeature>();
                await context.GetRequiredFeature<IHttpResponseBodyFeature>().Writer.WriteAsync(Encoding.ASCII.GetBytes(
                    $"{connection.RemoteIpAddress} {connection.RemotePort} {connection.LocalIpAddress} {connection.LocalPort}"));
                return;
            }
            if (request.Path == "/hold") await held.WaitAsync(context.GetRequiredFeature<IHttpRequestLifetimeFeature>().RequestAborted);
            byte[] read = new byte[1024];
            while (await request.Body.ReadAsync(read) > 0) held.Read();
            TlsConnectionInfo? tls = context.Get<TlsConnectionInfo>();
            string text = $"{snapshot.Version} {model.Name} {request.Protocol} {tls?.Version} {tls?.ServerName} {tls?.ClientSubject}".TrimEnd();
            byte[] body = Encoding.UTF8.GetBytes(text);
            IHttpResponseFeature response = context.GetRequiredFeature<IHttpResponseFeature>();
            response.Headers.ContentLength = body.Length;
            await context.GetRequiredFeature<IHttpResponseBodyFeature>().Writer.WriteAsync(body);
        }
        finally
        {
            if (bound) store.Release(snapshot);
        }
    }

    public void DisposeContext(IFeatureCollection context, Exception? exception)
    {
    }
}

/// <summary>Where requests to <c>/hold</c> wait.</summary>
internal sealed class Held
{
    private readonly TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _waiting;
    private int _pieces;

    /// <summary>Pieces of bodies that were read.</summary>
    public int Pieces => Volatile.Read(ref _pieces);

    public void Read() => Interlocked.Increment(ref _pieces);

    public int Waiting => Volatile.Read(ref _waiting);

    public void Open() => _open.TrySetResult();

    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _waiting);
        try
        {
            await _open.Task.WaitAsync(cancellationToken);
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }
}
