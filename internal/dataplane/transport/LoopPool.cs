namespace Gateway.DataPlane.Transport;

/// <summary>
/// The connections of one loop to one endpoint: the most recently used first, so that a small load keeps few of them and the rest idle
/// out. On the loop's thread only, but <see cref="OpenConnections"/>.
/// </summary>
internal sealed class LoopPool(long idleMilliseconds, long lifetimeMilliseconds, int mostIdle, ConnectionPermits? permits = null)
{
    // Load comes in waves: what was in use a moment ago is wanted again the next. Closed at once, every wave would have to connect anew.
    private const long SurplusMilliseconds = 2000;

    private readonly List<LoopConnection> _idle = [];
    private int _open;

    /// <summary>Idle and active; from any thread.</summary>
    public int OpenConnections => Volatile.Read(ref _open);

    public int IdleConnections => _idle.Count;

    /// <summary>An idle connection that is still good, or null.</summary>
    public LoopConnection? TryTake()
    {
        while (_idle.Count > 0)
        {
            LoopConnection connection = _idle[^1];
            _idle.RemoveAt(_idle.Count - 1);
            if (connection.TryUse()) return connection;
        }
        return null;
    }

    /// <summary>Called when a connection of the pool has been established.</summary>
    public void Opened() => Volatile.Write(ref _open, _open + 1);

    /// <summary>Takes a connection whose last response has been read to its end.</summary>
    public void Return(LoopConnection connection)
    {
        if (mostIdle == 0 || connection.Loop.NowMilliseconds - connection.OpenedAt >= lifetimeMilliseconds) connection.Close(reset: false);
        else if (connection.MakeIdle()) _idle.Add(connection);
    }

    /// <summary>Whether a connection has idled for long enough: as long as any may, or a moment when more idle than are to be kept.</summary>
    public bool IsOver(long idled) => idled >= idleMilliseconds || (_idle.Count > mostIdle && idled >= SurplusMilliseconds);

    /// <summary>Called by every connection of the pool as it closes.</summary>
    public void Closed(LoopConnection connection)
    {
        Volatile.Write(ref _open, _open - 1);
        permits?.Return();
        if (connection.Idle) _idle.Remove(connection);
    }

    public void CloseOneIdle()
    {
        if (_idle.Count > 0) _idle[0].Close(reset: false);
    }

    /// <summary>Closes what idles; what is in use is closed by its user.</summary>
    public void CloseIdle()
    {
        for (int i = _idle.Count - 1; i >= 0; i--) _idle[i].Close(reset: false);
    }
}
