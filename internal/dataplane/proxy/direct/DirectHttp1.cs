using System.Buffers;
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
/// the connection's loop, without the server's machinery for all that a request could be. For the rest of what may be one it waits a
/// moment. The first that is not is left unread, and the connection goes on to Kestrel, which refuses or serves it as ever: what is malformed
/// is decided in one place alone.
/// </summary>
/// <param name="next">Kestrel's.</param>
/// <param name="application">What counts and lets go; its requests are served by <paramref name="gateway"/>.</param>
/// <param name="gateway">Serves a request.</param>
/// <param name="idle">How long a client may send nothing between requests, or take nothing.</param>
/// <param name="time">For the date of responses.</param>
/// <param name="rest">How long the rest of a request is waited for; null for <see cref="RestMilliseconds"/>.</param>
internal sealed class DirectHttp1(ConnectionDelegate next, IHttpApplication<Exchange> application, GatewayApplication gateway, TimeSpan idle, TimeProvider time, TimeSpan? rest = null)
{
    // A client that has sent many requests at once gives the others their turn after so many.
    private const int MostInARow = 16;

    // A second segment comes within a round trip, a lost one within two and Linux's least timeout of 200 ms. Who takes longer is Kestrel's, to be
    // held to the listener's header timeout.
    private const int RestMilliseconds = 500;

    // Requests that come in several segments of memory, as they do out of TLS, are looked at in one piece up to here.
    private const int MostJoined = 64 * 1024;

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
        served.Exchange.Attach(onLoop);
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
        bool watchesClose = false, waitsForRest = false;
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
                    if (!waitsForRest && direct.CloseRequested.IsCancellationRequested) return (false, onClose);
                    if (!watchesClose)
                    {
                        watchesClose = true;
                        onClose = direct.CloseRequested.UnsafeRegister(static input => ((PipeReader)input!).CancelPendingRead(), input);
                    }
                    inARow = 0;
                    if (!waitsForRest) patience.Begin(ClientPatience.Waiting.ForRequest);
                    read = await input.ReadAsync();
                    if (!waitsForRest) patience.End();
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
            if (!TryBegin(direct, read.Buffer, out int taken))
            {
                if (direct.IsIncomplete && !read.IsCompleted && !read.IsCanceled)
                {
                    input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                    // Once, however many pieces it comes in.
                    if (!waitsForRest) patience.Begin(ClientPatience.Waiting.ForRest);
                    waitsForRest = true;
                    continue;
                }
                // Not examined: whoever reads next must get these bytes at once.
                input.AdvanceTo(read.Buffer.Start, read.Buffer.Start);
                return (true, onClose);
            }
            if (waitsForRest) patience.End();
            waitsForRest = false;
            input.AdvanceTo(read.Buffer.GetPosition(taken));
            if (!await exchange.ServeAsync(loop)) return (false, onClose);
        }
    }

    private static bool TryBegin(DirectConnection direct, in ReadOnlySequence<byte> bytes, out int taken)
    {
        if (bytes.IsSingleSegment) return direct.TryBegin(bytes.FirstSpan, out taken);
        int length = (int)Math.Min(bytes.Length, MostJoined);
        byte[] joined = LoopBuffers.Rent(length);
        bytes.Slice(0, length).CopyTo(joined);
        bool begun = direct.TryBegin(joined.AsSpan(0, length), out taken);
        LoopBuffers.Return(joined);
        return begun;
    }

    private Served MakeServed()
    {
        var patience = new ClientPatience(idle, rest ?? TimeSpan.FromMilliseconds(RestMilliseconds));
        var connection = new DirectConnection(time, patience);
        return new Served(connection, patience, new DirectExchange(connection, application, gateway));
    }
}
