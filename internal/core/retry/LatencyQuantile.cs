using System.Numerics;
using System.Runtime.CompilerServices;

namespace Gateway.Core.Retry;

/// <summary>
/// A quantile of latencies over the last 10 to 20 seconds, from two histograms of eight buckets to each doubling, so that it is at most an
/// eighth too high. Thread safe; a record is one count, and allocates nothing after the first. The value is worked out anew after every 64
/// records: a timer that is set by it needs no more.
/// </summary>
public sealed class LatencyQuantile
{
    // Eight buckets to each doubling of 1/65536 second, up to 128 seconds.
    private const int SubBits = 3, Doublings = 21, Count = Doublings << SubBits;
    private const double UnitsPerSecond = 65536;
    private const int GenerationSeconds = 10;
    private const int RefreshEvery = 64;

    private readonly Lock _gate = new();
    private readonly double _quantile;
    private readonly int _minSamples;
    private readonly long _ticksPerSecond;
    private int[]? _current;
    private int[]? _previous;
    private long _turnAt;
    private int _records;
    private long _value = long.MaxValue;

    /// <param name="quantile">Between 0 and 1.</param>
    /// <param name="ticksPerSecond">Of the timestamps.</param>
    /// <param name="minSamples">Fewer than these say nothing.</param>
    public LatencyQuantile(double quantile, long ticksPerSecond, int minSamples = 20) =>
        (_quantile, _ticksPerSecond, _minSamples) = (quantile, ticksPerSecond, minSamples);

    /// <summary>The quantile in ticks; <see cref="long.MaxValue"/> while there are too few samples.</summary>
    public long Value => Volatile.Read(ref _value);

    /// <param name="ticks">The latency.</param>
    /// <param name="now">Timestamp.</param>
    public void Record(long ticks, long now)
    {
        if (now >= Volatile.Read(ref _turnAt)) Turn(now);
        Interlocked.Increment(ref Volatile.Read(ref _current)![IndexOf(ticks)]);
        int records = Interlocked.Increment(ref _records);
        // The first value is wanted as soon as there can be one.
        if (records == _minSamples || records % RefreshEvery == 0) Refresh();
    }

    /// <summary>
    /// An answer was not waited for any longer than this. Where that is beyond the value, it is one of those that take longer than most, and
    /// counts as one that took the value itself: left out, the quick ones would be all that is known and the value would sink; counted with
    /// what it had waited, which is the value and more, it would push the value up again and again where a share of all attempts is never
    /// answered. Where it is not, it says nothing.
    /// </summary>
    /// <param name="waited">Ticks.</param>
    /// <param name="now">Timestamp.</param>
    public void RecordUnawaited(long waited, long now)
    {
        long value = Value;
        // Within the bucket whose upper edge the value is.
        if (waited >= value) Record(value - 1, now);
    }

    private int IndexOf(long ticks)
    {
        ulong units = (ulong)(Math.Max(0, ticks) * UnitsPerSecond / _ticksPerSecond);
        if (units < 1 << SubBits) return (int)units;
        int doubling = BitOperations.Log2(units) - SubBits;
        return Math.Min(Count - 1, ((doubling + 1) << SubBits) + (int)((units >> doubling) & ((1 << SubBits) - 1)));
    }

    // The upper edge, so that at least the wanted share lies below.
    private long UpperEdge(int index)
    {
        int doubling = (index >> SubBits) - 1;
        long units = doubling < 0 ? index + 1 : (long)((1 << SubBits) + (index & ((1 << SubBits) - 1)) + 1) << doubling;
        return (long)(units * (_ticksPerSecond / UnitsPerSecond));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Turn(long now)
    {
        lock (_gate)
        {
            if (now < _turnAt) return;
            // After a silence longer than a generation the one before is too old as well.
            bool stale = _turnAt != 0 && now - _turnAt >= GenerationSeconds * _ticksPerSecond;
            int[] spare = _previous ?? new int[Count];
            // Somebody may still count into what is cleared here: a record in the wrong generation, which no timer notices.
            Array.Clear(spare);
            int[]? old = stale ? null : _current;
            Volatile.Write(ref _previous, old);
            Volatile.Write(ref _current, spare);
            Volatile.Write(ref _turnAt, now + (GenerationSeconds * _ticksPerSecond));
            if (stale)
            {
                Volatile.Write(ref _records, 0);
                Volatile.Write(ref _value, long.MaxValue);
            }
        }
    }

    private void Refresh()
    {
        Span<int> counts = stackalloc int[Count];
        int[] current = Volatile.Read(ref _current)!;
        int[]? previous = Volatile.Read(ref _previous);
        long total = 0;
        for (int i = 0; i < Count; i++)
        {
            counts[i] = Volatile.Read(ref current[i]) + (previous is null ? 0 : Volatile.Read(ref previous[i]));
            total += counts[i];
        }
        if (total < _minSamples) return;
        long wanted = (long)Math.Ceiling(total * _quantile), seen = 0;
        for (int i = 0; i < Count; i++)
        {
            seen += counts[i];
            if (seen < wanted) continue;
            Volatile.Write(ref _value, UpperEdge(i));
            return;
        }
    }
}
