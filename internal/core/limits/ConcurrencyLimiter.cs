using System.Runtime.InteropServices;

namespace Gateway.Core.Limits;

/// <summary>
/// Bounds how many run at once; who finds no slot may wait in a bounded queue. The limit is given with each call, so that it can change
/// with the settings and with the load; a lower one takes effect as slots are given back. Thread safe. Entering and leaving while nobody
/// waits is one interlocked operation each and allocates nothing.
/// </summary>
/// <remarks>
/// No slot is lost: it belongs to who was told <see cref="Admission.Admitted"/> and to nobody else, for a waiter leaves the queue once,
/// under the lock, and gets its slot before it is told. No wake-up is lost: who waits is counted before it looks for a slot again, and
/// who leaves gives its slot back before it looks for waiters.
/// </remarks>
public sealed class ConcurrencyLimiter(TimeProvider time)
{
    /// <summary>Priorities are 0, the most important, to 7 (as urgencies in RFC 9218).</summary>
    public const int Priorities = 8;

    // Alone on its cache lines: every request writes it.
    [StructLayout(LayoutKind.Explicit, Size = 192)]
    private struct Padded
    {
        [FieldOffset(64)] public int InFlight;
        [FieldOffset(68)] public int Waiting;
    }

    private readonly Lock _gate = new();
    private readonly WaitQueue _queue = new();
    private Padded _counts;
    private long _standingSince;

    /// <summary>Who has a slot.</summary>
    public int InFlight => Volatile.Read(ref _counts.InFlight);

    /// <summary>Who waits for one.</summary>
    public int Waiting => Volatile.Read(ref _counts.Waiting);

    /// <summary>Takes a slot, unless there is none, or others wait for it. True must be followed by one <see cref="Leave"/>.</summary>
    public bool TryEnter(int limit) => Volatile.Read(ref _counts.Waiting) == 0 && TryTake(limit);

    /// <summary>Waits for a slot. <see cref="Admission.Admitted"/> must be followed by one <see cref="Leave"/>.</summary>
    /// <param name="limit">As for <see cref="TryEnter"/>.</param>
    /// <param name="queue">How to wait.</param>
    /// <param name="priority">0 to 7; lower ones first, also out of the queue when it is full.</param>
    /// <param name="cancellationToken">Calls it off; the answer is then a value, too.</param>
    public async ValueTask<Admission> WaitAsync(int limit, QueueSettings queue, int priority, CancellationToken cancellationToken)
    {
        // The limit may have grown since others began to wait: who has just come must not overtake them.
        if (Volatile.Read(ref _counts.Waiting) != 0) Serve(limit, queue.Timeout);
        Waiter waiter = new(this, priority);
        Waiter? displaced = null;
        lock (_gate)
        {
            if (_queue.Count >= queue.Length)
            {
                displaced = queue.Length == 0 ? null : _queue.Displace(priority, IsStanding_NeedsLock(queue.Timeout));
                if (displaced is null) return TryTake(limit) ? Admission.Admitted : Admission.QueueFull;
                Interlocked.Decrement(ref _counts.Waiting);
            }
            if (_queue.Count == 0) _standingSince = time.GetTimestamp();
            _queue.Add(waiter);
            Interlocked.Increment(ref _counts.Waiting);
        }
        displaced?.Complete(Admission.Displaced);
        Serve(limit, queue.Timeout);

        using ITimer timer = time.CreateTimer(static state => GiveUp((Waiter)state!, Admission.TimedOut), waiter, queue.Timeout, Timeout.InfiniteTimeSpan);
        using CancellationTokenRegistration called = cancellationToken.UnsafeRegister(static state => GiveUp((Waiter)state!, Admission.Cancelled), waiter);
        return await waiter.End;
    }

    /// <summary>Gives a slot back.</summary>
    /// <param name="limit">As for <see cref="TryEnter"/>.</param>
    /// <param name="queueTimeout">As for <see cref="WaitAsync"/>.</param>
    public void Leave(int limit, TimeSpan queueTimeout)
    {
        Interlocked.Decrement(ref _counts.InFlight);
        if (Volatile.Read(ref _counts.Waiting) != 0) Serve(limit, queueTimeout);
    }

    private bool TryTake(int limit)
    {
        int seen = Volatile.Read(ref _counts.InFlight);
        while (seen < limit)
        {
            int was = Interlocked.CompareExchange(ref _counts.InFlight, seen + 1, seen);
            if (was == seen) return true;
            seen = was;
        }
        return false;
    }

    /// <summary>Gives what slots there are to who waits.</summary>
    private void Serve(int limit, TimeSpan queueTimeout)
    {
        while (true)
        {
            Waiter next;
            lock (_gate)
            {
                if (_queue.Count == 0 || !TryTake(limit)) return;
                next = _queue.Next(IsStanding_NeedsLock(queueTimeout));
                Interlocked.Decrement(ref _counts.Waiting);
            }
            next.Complete(Admission.Admitted);
        }
    }

    // A queue that was empty within half the time that one may wait takes up a burst; one that was not is a standing one.
    private bool IsStanding_NeedsLock(TimeSpan queueTimeout) => _queue.Count != 0 && time.GetElapsedTime(_standingSince) > queueTimeout / 2;

    private static void GiveUp(Waiter waiter, Admission why)
    {
        ConcurrencyLimiter limiter = waiter.Limiter;
        lock (limiter._gate)
        {
            if (!limiter._queue.Remove(waiter)) return;
            Interlocked.Decrement(ref limiter._counts.Waiting);
        }
        waiter.Complete(why);
    }
}
