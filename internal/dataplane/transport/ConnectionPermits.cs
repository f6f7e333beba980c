namespace Gateway.DataPlane.Transport;

/// <summary>
/// How many connections an endpoint may have, over all loops. Who finds none free waits in turn; a permit given back goes to the first in
/// line. Thread safe.
/// </summary>
internal sealed class ConnectionPermits(int most)
{
    private readonly Lock _gate = new();
    private readonly LinkedList<TaskCompletionSource> _waiting = new();
    private int _taken;

    public int Taken
    {
        get
        {
            lock (_gate) return _taken;
        }
    }

    public bool HasWaiters
    {
        get
        {
            lock (_gate) return _waiting.Count > 0;
        }
    }

    public bool TryTake()
    {
        lock (_gate)
        {
            if (_taken >= most) return false;
            _taken++;
            return true;
        }
    }

    /// <summary>Completes with a permit taken; cancelled, it leaves the line.</summary>
    public async Task TakeAsync(CancellationToken cancellationToken)
    {
        LinkedListNode<TaskCompletionSource> place;
        lock (_gate)
        {
            if (_taken < most)
            {
                _taken++;
                return;
            }
            place = _waiting.AddLast(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        await using CancellationTokenRegistration _ = cancellationToken.UnsafeRegister(
            state =>
            {
                lock (_gate)
                {
                    // Not in line any more: the permit was handed over first.
                    if (place.List is null) return;
                    _waiting.Remove(place);
                }
                place.Value.TrySetCanceled(cancellationToken);
            },
            null);
        await place.Value.Task;
    }

    public void Return()
    {
        TaskCompletionSource next;
        lock (_gate)
        {
            if (_waiting.First is not { } first)
            {
                _taken--;
                return;
            }
            // Handed over, not freed: nobody can overtake.
            _waiting.RemoveFirst();
            next = first.Value;
        }
        next.SetResult();
    }
}
