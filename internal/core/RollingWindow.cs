using System.Numerics;
using System.Runtime.CompilerServices;

namespace Gateway.Core;

/// <summary>
/// Counts events, and those of them that are marked, over the last while: ten buckets of equal length, of which the current one is still
/// filling, so what is read covers between nine and ten of them. Thread safe, without a lock; allocates nothing but its cells, which come
/// with the first event and, for a busy one, once more with a block per processor.
/// </summary>
public sealed class RollingWindow
{
    /// <summary>Ten, as many as Polly's and Hystrix's windows have: a step of the window is then a tenth of it.</summary>
    public const int Buckets = 10;

    // A cell is one word, so that a count and the start of a new bucket are each one compare-and-swap: the bucket's number (its low 24
    // bits), marked events, events. The number comes round after 2^24 buckets, 19 days of the shortest: a cell that nobody wrote in
    // between would then count once more.
    private const int CountBits = 20, TagBits = 24;
    private const ulong CountMask = (1UL << CountBits) - 1, TagMask = (1UL << TagBits) - 1, One = 1, OneMarked = 1UL << CountBits;

    // A block per processor is for those that fill a bucket this often.
    private const ulong StripeAfter = 1024;

    // Two cache lines, as the prefetcher takes them in pairs.
    private const int Stride = 16;
    private static readonly int Mask = (int)BitOperations.RoundUpToPowerOf2((uint)Environment.ProcessorCount) - 1;

    private readonly long _bucketTicks;
    private ulong[]? _first;
    private ulong[]? _striped;

    /// <param name="ticks">Length of the window, in the ticks of the timestamps given to <see cref="Add"/> and <see cref="Read"/>; at least ten.</param>
    public RollingWindow(long ticks)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(ticks, Buckets);
        _bucketTicks = ticks / Buckets;
    }

    /// <summary>Counts one event. One that comes so late that its bucket's place is taken by a newer one is not counted.</summary>
    public void Add(long now, bool marked) => Count(now, marked ? One + OneMarked : One);

    /// <summary>Marks an event that was counted before without a mark. The mark is of now: for a while it may outlive its event.</summary>
    public void Mark(long now) => Count(now, OneMarked);

    private void Count(long now, ulong add)
    {
        ulong bucket = (ulong)(now / _bucketTicks), tag = bucket & TagMask;
        ulong[]? striped = Volatile.Read(ref _striped);
        ref ulong cell = ref striped is null
            ? ref (Volatile.Read(ref _first) ?? CreateFirst())[bucket % Buckets]
            : ref striped[((Thread.GetCurrentProcessorId() & Mask) * Stride) + (int)(bucket % Buckets)];
        ulong seen = Volatile.Read(ref cell);
        while (true)
        {
            ulong there = seen >> (2 * CountBits);
            ulong next;
            if (there == tag) next = Room(seen) + add;
            else if (seen != 0 && IsNewer(there, tag)) return;
            else next = (tag << (2 * CountBits)) + add;
            ulong was = Interlocked.CompareExchange(ref cell, next, seen);
            if (was == seen)
            {
                if (striped is null && (next & CountMask) == StripeAfter) Stripe();
                return;
            }
            seen = was;
        }
    }

    /// <summary>The events of the window, and those of them that were marked.</summary>
    public (long Events, long Marked) Read(long now)
    {
        ulong tag = (ulong)(now / _bucketTicks) & TagMask;
        long events = 0, marked = 0;
        if (Volatile.Read(ref _first) is { } first) Sum(first, Buckets, tag, ref events, ref marked);
        if (Volatile.Read(ref _striped) is { } striped) Sum(striped, striped.Length, tag, ref events, ref marked);
        return (events, marked);
    }

    private static void Sum(ulong[] cells, int count, ulong tag, ref long events, ref long marked)
    {
        for (int i = 0; i < count; i++)
        {
            ulong cell = Volatile.Read(ref cells[i]);
            if (cell == 0 || ((tag - (cell >> (2 * CountBits))) & TagMask) >= Buckets) continue;
            events += (long)(cell & CountMask);
            marked += (long)((cell >> CountBits) & CountMask);
        }
    }

    // More than a million in one bucket of one processor: both counts are halved, which keeps the share and errs on the low side.
    private static ulong Room(ulong cell) => (cell & CountMask) != CountMask && ((cell >> CountBits) & CountMask) != CountMask
        ? cell
        : (cell & (TagMask << (2 * CountBits))) | (((cell >> (CountBits + 1)) & (CountMask >> 1)) << CountBits) | ((cell & CountMask) >> 1);

    // Threads are late by little: what seems newer by more is older than the numbers reach.
    private static bool IsNewer(ulong there, ulong tag) => ((there - tag) & TagMask) < 64;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ulong[] CreateFirst()
    {
        ulong[] created = new ulong[Buckets];
        return Interlocked.CompareExchange(ref _first, created, null) ?? created;
    }

    // What the first block has counted stays there and is summed with the rest until it is too old.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Stripe()
    {
        if (Mask != 0) Interlocked.CompareExchange(ref _striped, new ulong[(Mask + 1) * Stride], null);
    }
}
