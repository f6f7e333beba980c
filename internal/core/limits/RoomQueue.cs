namespace Gateway.Core.Limits;

/// <summary>
/// Who waits until there is room at one of several places, first come first served, in a queue of bounded length and for a bounded time.
/// The places count for themselves who is there; whoever leaves one calls <see cref="Serve"/>. Thread safe; while nobody waits, that is
/// one read and allocates nothing.
/// </summary>
/// <remarks>
/// No room is lost: it is taken under the lock, for a waiter that then leaves the queue with it. No wake-up is lost: who waits is counted
/// before it looks for room again, and who leaves gives its room back before it looks for waiters.
/// </remarks>
public sealed class RoomQueue(TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly LinkedList<Seeker> _seekers = new();
    private int _waiting;
    private long _full, _timedOut;

    private sealed class Seeker(RoomQueue queue, object places, Func<bool> tryTake)
    {
        public RoomQueue Queue { get; } = queue;
        public object Places { get; } = places;
        public Func<bool> TryTake { get; } = tryTake;

        // Whoever leaves must not go on with this request on its own stack.
        public TaskCompletionSource<Admission> End { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
        public LinkedListNode<Seeker>? Node { get; set; }
    }

    /// <summary>Who waits. Who has just come must not overtake them.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>Those who were turned away because the queue was full, since the start.</summary>
    public long Full => Interlocked.Read(ref _full);

    /// <summary>Those who waited for as long as they may, since the start.</summary>
    public long TimedOut => Interlocked.Read(ref _timedOut);

    /// <summary>Waits for room. <see cref="Admission.Admitted"/>: <paramref name="tryTake"/> has returned true, and what it took is the caller's.</summary>
    /// <param name="places">Who names the same ones fares the same: when one of them finds no room there, the others are not asked.</param>
    /// <param name="tryTake">Takes room, if there is any. Called under the queue's lock, on any thread, and never again once it has returned true or the wait has ended; must neither block nor throw.</param>
    /// <param name="queue">How to wait.</param>
    /// <param name="cancellationToken">Calls it off; the answer is then a value, too.</param>
    public async ValueTask<Admission> WaitAsync(object places, Func<bool> tryTake, QueueSettings queue, CancellationToken cancellationToken)
    {
        Seeker seeker = new(this, places, tryTake);
        lock (_gate)
        {
            if (_seekers.Count >= queue.Length)
            {
                // Room that came free a moment ago is not for who has just come while others wait.
                if (_seekers.Count == 0 && tryTake()) return Admission.Admitted;
                Interlocked.Increment(ref _full);
                return Admission.QueueFull;
            }
            seeker.Node = _seekers.AddLast(seeker);
            Interlocked.Increment(ref _waiting);
        }
        Serve();

        using ITimer timer = time.CreateTimer(static state => GiveUp((Seeker)state!, Admission.TimedOut), seeker, queue.Timeout, Timeout.InfiniteTimeSpan);
        using CancellationTokenRegistration called = cancellationToken.UnsafeRegister(static state => GiveUp((Seeker)state!, Admission.Cancelled), seeker);
        return await seeker.End.Task;
    }

    /// <summary>To be called after room was given back, or there are other places: gives what there is to who waits.</summary>
    public void Serve()
    {
        while (Volatile.Read(ref _waiting) != 0 && TakeNext() is { } next) next.End.SetResult(Admission.Admitted);
    }

    // The first who finds room: those before it look at other places, or there is none at theirs.
    private Seeker? TakeNext()
    {
        lock (_gate)
        {
            object? without = null;
            for (LinkedListNode<Seeker>? node = _seekers.First; node is not null; node = node.Next)
            {
                Seeker seeker = node.Value;
                if (ReferenceEquals(seeker.Places, without)) continue;
                if (seeker.TryTake())
                {
                    Remove_NeedsLock(seeker);
                    return seeker;
                }
                without = seeker.Places;
            }
            return null;
        }
    }

    private void Remove_NeedsLock(Seeker seeker)
    {
        _seekers.Remove(seeker.Node!);
        seeker.Node = null;
        Interlocked.Decrement(ref _waiting);
    }

    private static void GiveUp(Seeker seeker, Admission why)
    {
        RoomQueue queue = seeker.Queue;
        lock (queue._gate)
        {
            if (seeker.Node is null) return;
            queue.Remove_NeedsLock(seeker);
        }
        if (why == Admission.TimedOut) Interlocked.Increment(ref queue._timedOut);
        seeker.End.SetResult(why);
    }
}
