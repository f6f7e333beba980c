namespace Gateway.DataPlane.Transport;

/// <summary>
/// How many connections an endpoint may have, over all loops. Who finds none free waits in line; a connection that becomes free goes to the
/// first who waits on its own loop, for it cannot leave it. Thread safe.
/// </summary>
internal sealed class ConnectionPermits(int most)
{
    // So often the first in line is passed over for somebody on the connection's loop; then the connection is given up for him.
    private const int MostPassedOver = 8;

    private readonly Lock _gate = new();
    private readonly LinkedList<Waiter> _waiting = new();
    private int _taken;
    private int _passedOver;

    private sealed class Waiter(EventLoop loop)
    {
        public EventLoop Loop { get; } = loop;
        public TaskCompletionSource<LoopConnection?> Turn { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
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

    /// <summary>Completes with a connection of the loop that became free, or with null: then a permit for a new one is taken. Cancelled, it leaves the line.</summary>
    /// <param name="onWait">
    /// Called with the loop once it stands in line, and not before: what is asked to free a permit then either finds somebody in line, or has
    /// not been asked yet. Null for nothing to be asked.
    /// </param>
    public async Task<LoopConnection?> TakeAsync(EventLoop loop, CancellationToken cancellationToken, Action<EventLoop>? onWait = null)
    {
        LinkedListNode<Waiter> place;
        lock (_gate)
        {
            if (_taken < most)
            {
                _taken++;
                return null;
            }
            place = _waiting.AddLast(new Waiter(loop));
        }
        onWait?.Invoke(loop);
        await using CancellationTokenRegistration _ = cancellationToken.UnsafeRegister(
            state =>
            {
                lock (_gate)
                {
                    // Not in line any more: his turn came first.
                    if (place.List is null) return;
                    _waiting.Remove(place);
                }
                place.Value.Turn.TrySetCanceled(cancellationToken);
            },
            null);
        return await place.Value.Turn.Task;
    }

    /// <summary>Hands a connection that is free to somebody who waits on its loop. False when nobody does, or another loop's turn has come: then it is to be closed.</summary>
    public bool TryHandOver(LoopConnection connection)
    {
        TaskCompletionSource<LoopConnection?> turn;
        lock (_gate)
        {
            LinkedListNode<Waiter>? place = _waiting.First;
            if (place is null || (place.Value.Loop != connection.Loop && _passedOver >= MostPassedOver)) return false;
            while (place is not null && place.Value.Loop != connection.Loop) place = place.Next;
            if (place is null) return false;
            _passedOver = ReferenceEquals(place, _waiting.First) ? 0 : _passedOver + 1;
            _waiting.Remove(place);
            turn = place.Value.Turn;
        }
        turn.SetResult(connection);
        return true;
    }

    public void Return()
    {
        TaskCompletionSource<LoopConnection?> next;
        lock (_gate)
        {
            if (_waiting.First is not { } first)
            {
                _taken--;
                return;
            }
            // Handed over, not freed: nobody can overtake.
            _waiting.RemoveFirst();
            _passedOver = 0;
            next = first.Value.Turn;
        }
        next.SetResult(null);
    }
}
