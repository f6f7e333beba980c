namespace Gateway.Core.Limits;

/// <summary>
/// Who waits for a slot: by priority, within one first come first served; last come first served once the queue has been standing for a
/// while, for then the first ones are those about to give up (adaptive LIFO, Maurer, "Fail at Scale", ACM Queue 2015). For one thread.
/// </summary>
internal sealed class WaitQueue
{
    private readonly LinkedList<Waiter>[] _byPriority = new LinkedList<Waiter>[ConcurrencyLimiter.Priorities];

    public WaitQueue()
    {
        for (int i = 0; i < _byPriority.Length; i++) _byPriority[i] = new LinkedList<Waiter>();
    }

    public int Count { get; private set; }

    public void Add(Waiter waiter)
    {
        waiter.Place = _byPriority[waiter.Priority].AddLast(waiter);
        Count++;
    }

    /// <summary>False: it does not wait any more.</summary>
    public bool Remove(Waiter waiter)
    {
        if (waiter.Place is not { } place) return false;
        _byPriority[waiter.Priority].Remove(place);
        waiter.Place = null;
        Count--;
        return true;
    }

    /// <summary>Takes out who is next; there must be one.</summary>
    /// <param name="standing">Whether the queue has been standing for a while.</param>
    public Waiter Next(bool standing)
    {
        foreach (LinkedList<Waiter> waiters in _byPriority)
        {
            if (waiters.Count == 0) continue;
            Waiter next = standing ? waiters.Last!.Value : waiters.First!.Value;
            Remove(next);
            return next;
        }
        throw new InvalidOperationException("Nobody waits.");
    }

    /// <summary>Takes out who makes room for one of this priority: the oldest of the least important; null when all are as important.</summary>
    /// <inheritdoc cref="Next" path="/param"/>
    public Waiter? Displace(int priority, bool standing)
    {
        // In a standing queue the oldest of the same priority would not be served any more.
        for (int p = _byPriority.Length - 1; standing ? p >= priority : p > priority; p--)
        {
            if (_byPriority[p].First is not { } oldest) continue;
            Remove(oldest.Value);
            return oldest.Value;
        }
        return null;
    }
}

/// <summary>A request that waits for a slot.</summary>
internal sealed class Waiter(ConcurrencyLimiter limiter, int priority)
{
    // Whoever leaves must not go on with this request on its own stack.
    private readonly TaskCompletionSource<Admission> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ConcurrencyLimiter Limiter { get; } = limiter;

    public int Priority { get; } = priority;

    /// <summary>Null when it does not wait any more. Touched under the limiter's lock.</summary>
    public LinkedListNode<Waiter>? Place { get; set; }

    public Task<Admission> End => _end.Task;

    /// <summary>To be called by the one who took it out of the queue, outside the lock.</summary>
    public void Complete(Admission admission) => _end.SetResult(admission);
}
