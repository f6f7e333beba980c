using System.Numerics;

namespace Gateway.Core.Outlier;

/// <summary>
/// Counts of values in buckets that are an eighth of a power of two wide: a percentile is at most 12.5 % off, whatever its size. For
/// values in nanoseconds it tells apart what lies between 8 µs and 18 minutes. Thread safe; recording allocates nothing.
/// </summary>
public sealed class LatencyHistogram
{
    private const int SubBits = 3;
    private const int Sub = 1 << SubBits;

    // The lowest bits say nothing about a latency: with nanoseconds, what is under a microsecond.
    private const int DroppedBits = 10;
    private const int Octaves = 27;

    internal const int Buckets = (Octaves + 1) * Sub;

    private readonly uint[] _counts = new uint[Buckets];

    public void Record(long value) => Interlocked.Increment(ref _counts[IndexOf(value)]);

    /// <summary>Counts so far, by bucket. They wrap around, so that the difference of two readings is right as long as it is below 2^32.</summary>
    internal void Read(Span<uint> counts)
    {
        for (int i = 0; i < Buckets; i++) counts[i] = Volatile.Read(ref _counts[i]);
    }

    /// <summary>The value that this share of the counts is not above: the middle of its bucket. 0 when there are no counts.</summary>
    /// <param name="counts">By bucket.</param>
    /// <param name="percent">1 to 100.</param>
    internal static long Percentile(ReadOnlySpan<uint> counts, int percent)
    {
        long total = 0;
        foreach (uint count in counts) total += count;
        long rank = ((total * percent) + 99) / 100;
        for (int i = 0; i < counts.Length; i++)
        {
            rank -= counts[i];
            if (rank <= 0 && counts[i] != 0) return MiddleOf(i);
        }
        return 0;
    }

    private static int IndexOf(long value)
    {
        ulong scaled = (ulong)Math.Max(value, 0) >> DroppedBits;
        if (scaled < Sub) return (int)scaled;
        int octave = BitOperations.Log2(scaled) - SubBits;
        int index = ((octave + 1) << SubBits) + (int)((scaled >> octave) & (Sub - 1));
        return Math.Min(index, Buckets - 1);
    }

    private static long MiddleOf(int index)
    {
        if (index < Sub) return ((long)index << DroppedBits) + (1L << (DroppedBits - 1));
        int octave = (index >> SubBits) - 1;
        long from = (long)(Sub + (index & (Sub - 1))) << octave;
        return ((from << 1) + (1L << octave)) << DroppedBits >> 1;
    }
}
