namespace Gateway.Core.Rollout;

/// <summary>
/// The buckets in which latencies of a rollout are counted: each a fifth of a power of two wide (ratio 1.149), from 0.1 ms to some 200 s.
/// A factor between latencies is a number of buckets, whatever the latency: three are 1.516.
/// </summary>
public static class LatencyBuckets
{
    private const int PerOctave = 5;
    private const int Octaves = 21;

    /// <summary>Seconds; up to it is the first bucket.</summary>
    private const double Least = 1e-4;

    /// <summary>The last bucket has no upper bound.</summary>
    public const int Count = (Octaves * PerOctave) + 2;

    /// <param name="seconds">Any number; what is no time is in the first bucket.</param>
    public static int IndexOf(double seconds) =>
        seconds > Least ? (int)Math.Min(Math.Ceiling(Math.Log2(seconds / Least) * PerOctave), Count - 1) : 0;

    /// <summary>The longest latency of a bucket, in seconds; infinite for the last one.</summary>
    public static double UpperBound(int index) => index >= Count - 1 ? double.PositiveInfinity : Least * Math.Pow(2, (double)index / PerOctave);

    /// <summary>The fewest buckets that are at least this factor.</summary>
    /// <param name="factor">At least 1.</param>
    public static int Span(double factor) => (int)Math.Ceiling((Math.Log2(factor) * PerOctave) - 1e-9);

    /// <summary>The upper bound, in seconds, of the bucket that has the quantile of what is counted; 0 when nothing is, and for the last bucket its lower bound.</summary>
    /// <param name="counts">By bucket.</param>
    /// <param name="quantile">Over 0, at most 1.</param>
    public static double Quantile(ReadOnlySpan<long> counts, double quantile)
    {
        int index = QuantileIndex(counts, quantile);
        return index < 0 ? 0 : UpperBound(Math.Min(index, Count - 2));
    }

    /// <summary>The bucket that has the quantile; -1 when nothing is counted.</summary>
    /// <inheritdoc cref="Quantile"/>
    public static int QuantileIndex(ReadOnlySpan<long> counts, double quantile)
    {
        long total = 0;
        foreach (long count in counts) total += count;
        if (total == 0) return -1;
        long rank = Math.Clamp((long)Math.Ceiling(total * quantile), 1, total);
        int index = 0;
        while ((rank -= counts[index]) > 0) index++;
        return index;
    }
}
