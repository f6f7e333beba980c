using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Gateway.DataPlane.Obs;

/// <summary>
/// The bounds of every latency histogram: half a millisecond, where a proxy's own time ends, to the default request timeout of 30 s.
/// Each bound is at least twice the one below, so a power of two of ticks holds at most one bound: the bucket is a table look-up by the
/// highest bit and one comparison.
/// </summary>
internal static class DurationBuckets
{
    public static readonly double[] Bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

    /// <summary>The bounds and the one without: <c>+Inf</c>.</summary>
    public const int Count = 16;

    private static readonly long[] Ticks = [.. Bounds.Select(static b => (long)Math.Round(b * Stopwatch.Frequency)), long.MaxValue];
    private static readonly byte[] FirstByHighestBit = [.. Enumerable.Range(0, 64).Select(static bit => (byte)Ticks.Count(t => t < 1L << Math.Min(bit, 62)))];

    /// <summary>The first bucket whose bound is not below <paramref name="ticks"/> of the stopwatch; a negative time counts as none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int IndexOf(long ticks)
    {
        if (ticks <= 0) return 0;
        int first = FirstByHighestBit[BitOperations.Log2((ulong)ticks)];
        return first + (ticks > Ticks[first] ? 1 : 0);
    }
}
