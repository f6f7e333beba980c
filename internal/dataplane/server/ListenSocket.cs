using System.Net;
using System.Net.Sockets;
using Gateway.DataPlane.Transport;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Server;

/// <summary>
/// A bound socket that outlives the servers behind it. Connections go to whichever <see cref="AttachedListener"/> is attached when they
/// are accepted, so a listener whose settings changed gets another server without a moment in which nobody accepts.
/// </summary>
internal sealed class ListenSocket(string key, EndPoint requested, IConnectionListener inner, AcceptGate gate, ILogger logger)
{
    private readonly CancellationTokenSource _closing = new();
    private AttachedListener? _attached;
    private Task _accepting = Task.CompletedTask;

    /// <summary><see cref="ListenAddress.SocketKey"/>.</summary>
    public string Key { get; } = key;

    public EndPoint Requested { get; } = requested;

    /// <summary>With the real port where 0 was asked for.</summary>
    public EndPoint Bound => inner.EndPoint;

    /// <summary>To be called by the apply queue. Sends all connections from now on to <paramref name="next"/>; the one attached before gets no more, and ends its accept loop.</summary>
    public void Attach(AttachedListener next)
    {
        AttachedListener? previous = Interlocked.Exchange(ref _attached, next);
        previous?.Complete();
        if (previous is null) _accepting = AcceptAsync();
    }

    /// <summary>Stops accepting and releases the address. Connections accepted before are not touched.</summary>
    public async Task CloseAsync()
    {
        await _closing.CancelAsync();
        await inner.UnbindAsync();
        await _accepting;
        Volatile.Read(ref _attached)?.Complete();
        await inner.DisposeAsync();
        if (Requested is UnixDomainSocketEndPoint path) UnixSocketFile.Remove(path.ToString());
        _closing.Dispose();
    }

    // The next one is attached before the previous one is completed: a refusal means there is a newer one, or none any more.
    private bool Hand(ConnectionContext connection)
    {
        AttachedListener? tried = null;
        while (true)
        {
            AttachedListener attached = Volatile.Read(ref _attached)!;
            if (ReferenceEquals(attached, tried)) return false;
            if (attached.TryHand(connection)) return true;
            tried = attached;
        }
    }

    // No more than the one connection in hand is accepted meanwhile, by a transport that does not look at the gate itself. A socket that is
    // closed waits no more: that client was told that it is connected.
    private async Task WaitForGateAsync()
    {
        try
        {
            await gate.WhenOpen.WaitAsync(_closing.Token);
        }
        catch (OperationCanceledException)
        {
            // Closed.
        }
    }

    private async Task AcceptAsync()
    {
        // Off the caller's stack: an accept that completes at once must not run servers inside a publish.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        while (true)
        {
            ConnectionContext? connection;
            try
            {
                connection = await inner.AcceptAsync();
            }
            catch (Exception failure) when (!_closing.IsCancellationRequested)
            {
                // Out of descriptors, most likely: the backlog holds the clients meanwhile. Accepting at full speed would only burn a core.
                ServerLog.AcceptFailed(logger, Requested.ToString()!, failure);
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System).ConfigureAwait(false);
                continue;
            }
            catch (Exception)
            {
                return;
            }
            if (connection is null) return;
            if (gate.IsClosed) await WaitForGateAsync();
            if (!Hand(connection)) await connection.DisposeAsync();
        }
    }
}
