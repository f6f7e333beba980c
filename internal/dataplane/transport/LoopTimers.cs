using System.Numerics;

namespace Gateway.DataPlane.Transport;

/// <summary>Something that is due on a loop some time. In at most one place of one loop's wheel.</summary>
internal abstract class LoopTimer
{
    internal LoopTimer? Previous;
    internal LoopTimer? Next;

    /// <summary>Its place in the wheel; -1 when it is not set.</summary>
    internal int Slot = -1;
    internal long Due;

    public abstract void OnDue();
}

/// <summary>
/// A hashed timing wheel (Varghese and Lauck 1987) on an event loop: setting and clearing are a few writes without a lock, and nothing is
/// held beyond its time. Fires up to a slot late, never early. On the loop's thread only. Milliseconds are of <see cref="EventLoop.NowMilliseconds"/>.
/// </summary>
internal sealed class LoopTimers(long now)
{
    private const int SlotMilliseconds = 8;
    private const int Slots = 1024;

    // Beside the wheel: what is about to fire. Linked like all else, so that what fires may clear and set others that are due with it.
    private const int DueNow = Slots;

    private readonly LoopTimer?[] _slots = new LoopTimer?[Slots + 1];
    private readonly ulong[] _occupied = new ulong[Slots / 64 + 1];

    // The tick that was last fired; what is due later in it waits for the next.
    private long _tick = now / SlotMilliseconds;

    /// <summary>Sets it, in place of what was set before.</summary>
    public void Set(LoopTimer timer, long due)
    {
        Clear(timer);
        timer.Due = due;
        Link(timer, SlotOf(due));
    }

    public void Clear(LoopTimer timer)
    {
        if (timer.Slot < 0) return;
        if (timer.Previous is { } previous) previous.Next = timer.Next;
        else
        {
            _slots[timer.Slot] = timer.Next;
            if (timer.Next is null) _occupied[timer.Slot >> 6] &= ~(1UL << (timer.Slot & 63));
        }
        if (timer.Next is { } next) next.Previous = timer.Previous;
        timer.Previous = timer.Next = null;
        timer.Slot = -1;
    }

    /// <summary>Milliseconds until there may be something to fire, at most <paramref name="most"/>.</summary>
    public int WaitFor(long now, int most)
    {
        if (_slots[DueNow] is not null) return 0;
        int ticks = most / SlotMilliseconds + 1;
        for (int ahead = 1; ahead <= ticks;)
        {
            int slot = (int)((_tick + ahead) & (Slots - 1));
            ulong word = _occupied[slot >> 6] >> (slot & 63);
            if (word == 0)
            {
                ahead += 64 - (slot & 63);
                continue;
            }
            ahead += BitOperations.TrailingZeroCount(word);
            return (int)Math.Clamp((_tick + ahead) * SlotMilliseconds - now, 0, most);
        }
        return most;
    }

    /// <summary>Fires what is due. One that fails takes no other with it: they fire the next time.</summary>
    public void Advance(long now)
    {
        FireDue();
        long until = now / SlotMilliseconds;
        // After a long stop once round is enough.
        if (until - _tick > Slots) _tick = until - Slots;
        while (_tick < until)
        {
            _tick++;
            int slot = (int)(_tick & (Slots - 1));
            if ((_occupied[slot >> 6] >> (slot & 63) & 1) == 0) continue;
            TakeDue(slot, now);
            FireDue();
        }
    }

    private void TakeDue(int slot, long now)
    {
        LoopTimer? all = _slots[slot];
        _slots[slot] = null;
        _occupied[slot >> 6] &= ~(1UL << (slot & 63));
        while (all is { } timer)
        {
            all = timer.Next;
            timer.Previous = timer.Next = null;
            Link(timer, timer.Due > now ? SlotOf(timer.Due) : DueNow);
        }
    }

    private void FireDue()
    {
        while (_slots[DueNow] is { } timer)
        {
            Clear(timer);
            timer.OnDue();
        }
    }

    // Rounded up; beyond the horizon it is looked at again when the wheel has come round.
    private int SlotOf(long due) => (int)(Math.Clamp((due + SlotMilliseconds - 1) / SlotMilliseconds, _tick + 1, _tick + Slots - 1) & (Slots - 1));

    private void Link(LoopTimer timer, int slot)
    {
        timer.Slot = slot;
        timer.Next = _slots[slot];
        if (timer.Next is { } next) next.Previous = timer;
        _slots[slot] = timer;
        _occupied[slot >> 6] |= 1UL << (slot & 63);
    }
}
