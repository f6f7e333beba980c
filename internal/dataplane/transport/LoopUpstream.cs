using System.Net;
using System.Net.Sockets;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Transport;

/// <summary>
/// An endpoint that speaks HTTP/1.1 in clear text, over connections on the event loops: a pool per loop, so that a request never leaves the
/// loop its client is on; the limit on connections is shared by all loops. Thread safe.
/// </summary>
internal sealed class LoopUpstream : Upstream
{
    private readonly EventLoop[] _loops;
    private readonly LoopPool[] _pools;
    private readonly EndPointSource _endPoints;
    private readonly ConnectionPermits? _permits;
    private readonly TimeSpan _connectTimeout;
    private volatile bool _disposed;

    public LoopUpstream(UpstreamSettings settings, EventLoop[] loops)
    {
        Settings = settings;
        _loops = loops;
        _endPoints = new EndPointSource(settings.Address);
        _permits = settings.MaxConnections == 0 ? null : new ConnectionPermits(settings.MaxConnections);
        _connectTimeout = settings.ConnectTimeout;
        _pools = new LoopPool[loops.Length];
        for (int i = 0; i < loops.Length; i++)
        {
            _pools[i] = new LoopPool(
                Milliseconds(settings.IdleTimeout), settings.MaxLifetime == TimeSpan.Zero ? long.MaxValue : Milliseconds(settings.MaxLifetime), (settings.MaxIdle + loops.Length - 1) / loops.Length, _permits);
        }
    }

    public UpstreamSettings Settings { get; }

    /// <summary>What to name in Host when the client named nothing.</summary>
    public string Authority => _endPoints.Authority;

    public override int Connections
    {
        get
        {
            int open = 0;
            foreach (LoopPool pool in _pools) open += pool.OpenConnections;
            return open;
        }
    }

    /// <summary>An idle connection of the loop that is still good, or null. On the loop's thread.</summary>
    public LoopConnection? TryTake(EventLoop loop) => _pools[loop.Index].TryTake();

    /// <summary>Gives a connection back whose response has been read to its end. On its loop's thread.</summary>
    public void Return(LoopConnection connection)
    {
        if (_disposed) connection.Close(reset: false);
        else if (_permits is not { HasWaiters: true }) _pools[connection.Loop.Index].Return(connection);
        // Idle, it would keep its permit from somebody on another loop.
        else if (!connection.MakeIdle() || !connection.TryUse() || !_permits.TryHandOver(connection)) connection.Close(reset: false);
    }

    /// <summary>A permit for one more connection, to be used with <see cref="ConnectAsync"/>. False: the endpoint has as many as it may.</summary>
    public bool TryPermit() => _permits is null || _permits.TryTake();

    /// <summary>Waits for a permit, after a <see cref="TryPermit"/> that found none. On the loop's thread, and ends there.</summary>
    /// <returns>A connection that came free meanwhile, in place of the permit; null for the permit.</returns>
    public async ValueTask<LoopConnection?> WaitForPermitAsync(EventLoop loop, CancellationToken cancellationToken)
    {
        try
        {
            return await _permits!.TakeAsync(loop, cancellationToken, AskForIdle);
        }
        finally
        {
            await loop.Switch();
        }
    }

    /// <summary>A new connection on the loop, by a permit that is given back when there is none. On the loop's thread, and ends there.</summary>
    /// <returns>No connection when it cannot be had, but the reason, for a person.</returns>
    public async ValueTask<(LoopConnection? Connection, string Failure)> ConnectAsync(EventLoop loop, CancellationToken cancellationToken)
    {
        bool connected = false;
        try
        {
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            timeout.CancelAfter(_connectTimeout);
            EndPoint[] endPoints = _endPoints.Fixed is { } one ? [one] : await _endPoints.ResolveAsync(timeout.Token);
            string why = "The upstream's name has no address.";
            foreach (EndPoint endPoint in endPoints)
            {
                await loop.Switch();
                (LoopConnection connection, ValueTask<bool> connecting) = LoopConnection.Connect(loop, endPoint, _pools[loop.Index]);
                await using (timeout.Token.UnsafeRegister(static c => ((LoopConnection)c!).AbortConnect(), connection))
                {
                    connected = await connecting;
                }
                if (connected) return (connection, "");
                cancellationToken.ThrowIfCancellationRequested();
                why = timeout.IsCancellationRequested
                    ? "The upstream did not accept the connection in time."
                    : $"The upstream could not be connected to: {Errno.ToException(connection.ConnectError).Message}.";
                if (timeout.IsCancellationRequested) break;
            }
            return (null, why);
        }
        catch (SocketException e)
        {
            return (null, $"The upstream's name could not be resolved: {e.Message}.");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (null, "The upstream's name could not be resolved in time.");
        }
        finally
        {
            if (!connected) _permits?.Return();
            await loop.Switch();
        }
    }

    public override void Dispose()
    {
        _disposed = true;
        for (int i = 0; i < _loops.Length; i++) _loops[i].Post(static pool => ((LoopPool)pool!).CloseIdle(), _pools[i]);
    }

    // Permits may be held by connections that idle on other loops, where nobody needs them now.
    private void AskForIdle(EventLoop asker)
    {
        for (int i = 0; i < _loops.Length; i++)
        {
            if (_loops[i] != asker) _loops[i].Post(static pool => ((LoopPool)pool!).CloseOneIdle(), _pools[i]);
        }
    }

    private static long Milliseconds(TimeSpan time) => time == Timeout.InfiniteTimeSpan ? long.MaxValue : (long)time.TotalMilliseconds;
}
