using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Gateway.DataPlane.Transport;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Gateway.DataPlane.Proxy.Direct;

/// <summary>
/// The short way of HTTP/1.1: as long as a client's requests are plain (<see cref="Core.Http1.PlainRequest"/>), they are served here, on
/// the connection's loop, without the server's machinery for all that a request could be. The first that is not is left unread, and the
/// connection goes on to Kestrel, which refuses or serves it as ever: what is malformed is decided in one place alone.
/// </summary>
/// <param name="next">Kestrel's.</param>
/// <param name="application">What counts and lets go; its requests are served by <paramref name="gateway"/>.</param>
/// <param name="gateway">Serves a request.</param>
/// <param name="idle">How long a client may send nothing between requests, or take nothing.</param>
/// <param name="time">For the date of responses.</param>
internal sealed class DirectHttp1(ConnectionDelegate next, IHttpApplication<Exchange> application, GatewayApplication gateway, TimeSpan idle, TimeProvider time)
{
    // A client that has sent many requests at once gives the others their turn after so many.
    private const int MostInARow = 16;

    // Of each loop: what a burst of short connections can use again.
    private const int MostKept = 256;

    private readonly ConcurrentDictionary<EventLoop, Stack<Served>> _kept = new();

    private sealed record Served(DirectConnection Connection, ClientPatience Patience, DirectExchange Exchange);

    public Task OnConnectionAsync(ConnectionContext connection)
    {
        if (connection.Features.Get<ILoopFeature>() is not { } onLoop) return next(connection);
        // Over TLS the client has chosen; what it chose is HTTP/1.1 unless it says h2.
        if (connection.Features.Get<ITlsApplicationProtocolFeature>() is { ApplicationProtocol.Span: { Length: 2 } }) return next(connection);
        return RunAsync(connection, onLoop);
    }

    private async Task RunAsync(ConnectionContext connection, ILoopFeature onLoop)
    {
        EventLoop loop = onLoop.Loop;
        if (EventLoop.Current != loop) await loop.Switch();
        Stack<Served> kept = _kept.GetOrAdd(loop, static _ => new Stack<Served>());
        if (!kept.TryPop(out Served? served)) served = MakeServed();
        served.Connection.Attach(connection);
        served.Patience.Attach(connection, loop);
        bool toKestrel = false;
        CancellationTokenRegistration onClose = default;
        try
        {
            (toKestrel, onClose) = await ServeAsync(served, connection, loop);
        }
        finally
        {
            onClose.Unregister();
            if (EventLoop.Current != loop) await loop.Switch();
            onLoop.Watcher = null;
            served.Patience.Detach();
            served.Connection.Detach();
            if (kept.Count < MostKept) kept.Push(served);
        }
        if (toKestrel) await next(connection);
    }

    /// <summary>True: there is a request for Kestrel.</summary>
    private async Task<(bool ToKestrel, CancellationTokenRegistration OnClose)> ServeAsync(Served served, ConnectionContext connection, EventLoop loop)
    {
        (DirectConnection direct, ClientPatience patience, DirectExchange exchange) = served;
        PipeReader input = connection.Transport.Input;
        CancellationTokenRegistration onClose = default;
        bool watchesClose = false;
        for (int inARow = 0; ; inARow++)
        {
            if (inARow == MostInARow)
            {
                inARow = 0;
                await loop.Yield();
            }
            ReadResult read;
            try
            {
                if (!input.TryRead(out read))
                {
                    if (direct.CloseRequested.IsCancellationRequested) return (false, onClose);
                    if (!watchesClose)
                    {
                        watchesClose = true;
                        onClose = direct.CloseRequested.UnsafeRegister(static input => ((PipeReader)input!).CancelPendingRead(), input);
                    }
                    inARow = 0;
                    patience.Begin(ClientPatience.Waiting.ForRequest);
                    read = await input.ReadAsync();
                    patience.End();
                    if (EventLoop.Current != loop) await loop.Switch();
                }
            }
            catch (Exception gone) when (gone is IOException or ConnectionAbortedException or OperationCanceledException)
            {
                return (false, onClose);
            }
            if (read.Buffer.IsEmpty)
            {
                input.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted || patience.IsOver || direct.CloseRequested.IsCancellationRequested) return (false, onClose);
                continue;
            }
            if (!read.Buffer.IsSingleSegment || !direct.TryBegin(read.Buffer.FirstSpan, out int taken))
            {
                // Not examined: whoever reads next must get these bytes at once.
                input.AdvanceTo(read.Buffer.Start, read.Buffer.Start);
                return (true, onClose);
            }
            input.AdvanceTo(read.Buffer.GetPosition(taken));
            if (!await exchange.ServeAsync(loop)) return (false, onClose);
        }
    }

    private Served MakeServed()
    {
        var patience = new ClientPatience(idle);
        var connection = new DirectConnection(time, patience);
        return new Served(connection, patience, new DirectExchange(connection, application, gateway));
    }
}
