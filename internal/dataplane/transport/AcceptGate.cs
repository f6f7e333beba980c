namespace Gateway.DataPlane.Transport;

/// <summary>
/// Whether listeners accept connections. While it is closed clients wait in the kernel's backlog, and when that is full they are not
/// connected: a connection costs memory from its first moment. Written by the one who watches over the process; read from any thread.
/// </summary>
internal sealed class AcceptGate
{
    private readonly Lock _gate = new();
    private TaskCompletionSource? _reopened;
    private long _closings;

    public bool IsClosed => Volatile.Read(ref _reopened) is not null;

    /// <summary>How often it was closed.</summary>
    public long Closings => Volatile.Read(ref _closings);

    /// <summary>Completes when it is open.</summary>
    public Task WhenOpen => Volatile.Read(ref _reopened)?.Task ?? Task.CompletedTask;

    /// <summary>True when that is a change.</summary>
    public bool Set(bool closed)
    {
        TaskCompletionSource? reopened;
        lock (_gate)
        {
            if (closed == IsClosed) return false;
            reopened = _reopened;
            if (closed) _closings++;
            Volatile.Write(ref _reopened, closed ? new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously) : null);
        }
        reopened?.SetResult();
        return true;
    }
}
