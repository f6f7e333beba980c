namespace Gateway.DataPlane.Server;

/// <summary>
/// The connections of one server. A connection counts from the moment the socket hands it over, before the server has begun with it, so
/// that a server never looks empty while one is on its way. Thread safe.
/// </summary>
internal sealed class ConnectionSet
{
    private readonly Lock _gate = new();
    private readonly HashSet<ClientConnection> _running = [];
    private TaskCompletionSource? _empty;
    private int _open;
    private bool _closing;
    private bool _aborted;

    public int Open
    {
        get { lock (_gate) return _open; }
    }

    /// <summary>Handed over. One <see cref="Left"/> follows.</summary>
    public void Entered()
    {
        lock (_gate) _open++;
    }

    public void Left()
    {
        TaskCompletionSource? empty = null;
        lock (_gate)
        {
            if (--_open == 0) empty = _empty;
        }
        empty?.TrySetResult();
    }

    public void Add(ClientConnection connection)
    {
        bool close, abort;
        lock (_gate)
        {
            _running.Add(connection);
            (close, abort) = (_closing, _aborted);
        }
        if (abort) connection.Abort();
        else if (close) connection.RequestClose();
    }

    public void Remove(ClientConnection connection)
    {
        lock (_gate) _running.Remove(connection);
    }

    /// <summary>Asks each connection to close when it can, those that are still on their way too.</summary>
    public void RequestClose()
    {
        ClientConnection[] running;
        lock (_gate)
        {
            _closing = true;
            running = [.. _running];
        }
        foreach (ClientConnection connection in running) connection.RequestClose();
    }

    public void Abort()
    {
        ClientConnection[] running;
        lock (_gate)
        {
            _aborted = true;
            running = [.. _running];
        }
        foreach (ClientConnection connection in running) connection.Abort();
    }

    /// <summary>Completes when there is no connection. To be called when no more are handed over.</summary>
    public Task WhenEmpty()
    {
        lock (_gate)
        {
            if (_open == 0) return Task.CompletedTask;
            _empty ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _empty.Task;
        }
    }
}
