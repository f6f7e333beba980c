using System.Runtime.InteropServices;

namespace Gateway.DataPlane.Obs;

/// <summary>
/// A bounded ring with many writers and one reader (D. Vyukov's bounded queue): a writer claims a slot by one compare-and-swap, and the
/// slot's sequence says whose turn it is. Full means refused; nobody waits.
/// </summary>
internal sealed class AccessLogQueue
{
    private struct Slot
    {
        /// <summary>Its position when free to write, position + 1 when written, position + capacity when read.</summary>
        public long Sequence;
        public AccessLogEntry Entry;
    }

    // Alone on its cache lines: every request writes it.
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Padded
    {
        [FieldOffset(128)] public long Value;
    }

    private readonly Slot[] _slots;
    private readonly int _mask;
    private Padded _tail;
    private long _head;

    /// <param name="capacity">A power of two.</param>
    public AccessLogQueue(int capacity)
    {
        _slots = new Slot[capacity];
        _mask = capacity - 1;
        for (int i = 0; i < capacity; i++) _slots[i].Sequence = i;
    }

    /// <summary>Entries claimed so far; those written before a call are below what it returns.</summary>
    public long Tail => Volatile.Read(ref _tail.Value);

    /// <summary>Entries read so far. The reader's.</summary>
    public long Head => _head;

    /// <summary>The entry's position, or -1 when the queue is full.</summary>
    public long TryEnqueue(in AccessLogEntry entry, AccessLogModel model)
    {
        long position = Volatile.Read(ref _tail.Value);
        while (true)
        {
            ref Slot slot = ref _slots[position & _mask];
            long turn = Volatile.Read(ref slot.Sequence) - position;
            if (turn < 0) return -1;
            if (turn == 0)
            {
                long seen = Interlocked.CompareExchange(ref _tail.Value, position + 1, position);
                if (seen == position)
                {
                    slot.Entry = entry;
                    slot.Entry.Model = model;
                    Volatile.Write(ref slot.Sequence, position + 1);
                    return position;
                }
                position = seen;
                continue;
            }
            position = Volatile.Read(ref _tail.Value);
        }
    }

    /// <summary>Whether the next entry is there. The reader's, as the two below.</summary>
    public bool CanRead => Volatile.Read(ref _slots[_head & _mask].Sequence) == _head + 1;

    /// <summary>The next entry, valid until <see cref="Advance"/>.</summary>
    public ref readonly AccessLogEntry Next => ref _slots[_head & _mask].Entry;

    public void Advance()
    {
        ref Slot slot = ref _slots[_head & _mask];
        // Its strings would otherwise live until the ring has come round.
        slot.Entry = default;
        Volatile.Write(ref slot.Sequence, _head + _mask + 1);
        _head++;
    }
}
