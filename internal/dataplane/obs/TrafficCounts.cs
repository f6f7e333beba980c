using System.Numerics;
using System.Runtime.CompilerServices;

namespace Gateway.DataPlane.Obs;

/// <summary>
/// The numbers of one route or pool: outcomes, a latency histogram with its sum, and failures by category. Thread safe. Nothing is
/// allocated before the first record; a busy one gets a block per processor, so that no two cores write one cache line.
/// </summary>
internal sealed class TrafficCounts(StripeBudget budget)
{
    public const int Outcomes = 5;
    public const int BucketsAt = Outcomes;
    public const int SumAt = BucketsAt + DurationBuckets.Count;
    public const int CategoriesAt = SumAt + 1;
    public const int MaxCategories = 32;

    /// <summary>Length of what <see cref="Read"/> fills: outcomes, buckets, sum of ticks, categories.</summary>
    public const int Cells = CategoriesAt + MaxCategories;

    // A cold route is not worth a block per core; one that fills a bucket this often (since it was last folded away) is.
    private const int StripeAfter = 16 * 1024;

    // Behind each striped block, against false sharing with its neighbour: two lines, as the prefetcher takes them in pairs.
    private const int Padding = 16;
    private static readonly int Mask = (int)BitOperations.RoundUpToPowerOf2((uint)Environment.ProcessorCount) - 1;

    private long[]? _first;
    private long[][]? _stripes;
    private long[]? _categories;

    public void Record(int outcome, long ticks)
    {
        long[] block = Block();
        Interlocked.Increment(ref block[outcome]);
        long inBucket = Interlocked.Increment(ref block[BucketsAt + DurationBuckets.IndexOf(ticks)]);
        if (ticks > 0) Interlocked.Add(ref block[SumAt], ticks);
        if ((inBucket & (StripeAfter - 1)) == 0 && _stripes is null) Stripe();
    }

    public void RecordCategory(int category)
    {
        long[] categories = Volatile.Read(ref _categories) ?? Create(ref _categories, MaxCategories);
        Interlocked.Increment(ref categories[category & (MaxCategories - 1)]);
    }

    /// <summary>Requests (or attempts) so far, and how many of the cells that are a time series of their own have counted anything.</summary>
    public long Survey(out int series)
    {
        long total = 0, timed = 0;
        uint outcomes = 0;
        series = 0;
        for (int b = 0; Block(b) is { } block; b++)
        {
            for (int i = 0; i < Outcomes; i++)
            {
                long n = Volatile.Read(ref block[i]);
                total += n;
                if (n != 0) outcomes |= 1u << i;
            }
            for (int i = BucketsAt; i < SumAt && timed == 0; i++) timed += Volatile.Read(ref block[i]);
        }
        if (Volatile.Read(ref _categories) is { } categories)
        {
            for (int i = 0; i < MaxCategories; i++)
            {
                long n = Volatile.Read(ref categories[i]);
                total += n;
                if (n != 0) series++;
            }
        }
        series += BitOperations.PopCount(outcomes) + (timed == 0 ? 0 : HistogramSeries);
        return total;
    }

    /// <summary>Buckets, sum and count.</summary>
    public const int HistogramSeries = DurationBuckets.Count + 2;

    /// <summary>How many time series <paramref name="cells"/>, as <see cref="Read"/> fills them, come to.</summary>
    public static int SeriesOf(ReadOnlySpan<long> cells)
    {
        int series = cells[BucketsAt..SumAt].ContainsAnyExcept(0L) ? HistogramSeries : 0;
        foreach (long n in cells[..Outcomes]) series += n == 0 ? 0 : 1;
        foreach (long n in cells[CategoriesAt..]) series += n == 0 ? 0 : 1;
        return series;
    }

    /// <summary>Adds what was counted to <paramref name="cells"/>; with <paramref name="take"/> it is moved there, nothing lost or seen twice.</summary>
    public void Read(Span<long> cells, bool take)
    {
        for (int b = 0; Block(b) is { } block; b++) Sum(block, CategoriesAt, cells, take);
        if (Volatile.Read(ref _categories) is { } categories) Sum(categories, MaxCategories, cells[CategoriesAt..], take);
    }

    public void ReturnStripes()
    {
        if (Volatile.Read(ref _stripes) is not null) budget.Return();
    }

    private static void Sum(long[] block, int count, Span<long> cells, bool take)
    {
        for (int i = 0; i < count; i++)
        {
            long n = Volatile.Read(ref block[i]);
            if (n == 0) continue;
            cells[i] += take ? Interlocked.Exchange(ref block[i], 0) : n;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private long[] Block()
    {
        long[][]? stripes = Volatile.Read(ref _stripes);
        if (stripes is not null) return stripes[Thread.GetCurrentProcessorId() & Mask];
        return Volatile.Read(ref _first) ?? Create(ref _first, CategoriesAt);
    }

    /// <summary>The blocks one after the other, then null.</summary>
    private long[]? Block(int index)
    {
        if (index == 0) return Volatile.Read(ref _first);
        long[][]? stripes = Volatile.Read(ref _stripes);
        return stripes is null || index > stripes.Length ? null : stripes[index - 1];
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static long[] Create(ref long[]? field, int length)
    {
        long[] created = new long[length];
        return Interlocked.CompareExchange(ref field, created, null) ?? created;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Stripe()
    {
        if (Mask == 0 || !budget.TryTake()) return;
        long[][] stripes = new long[Mask + 1][];
        for (int i = 0; i < stripes.Length; i++) stripes[i] = new long[CategoriesAt + Padding];
        if (Interlocked.CompareExchange(ref _stripes, stripes, null) is not null) budget.Return();
    }
}

/// <summary>How many routes and pools may have a block per core: on a machine of 64 cores this bounds them to some 20 MB in all.</summary>
internal sealed class StripeBudget
{
    private int _left = 1024;

    public bool TryTake()
    {
        if (Interlocked.Decrement(ref _left) >= 0) return true;
        Interlocked.Increment(ref _left);
        return false;
    }

    public void Return() => Interlocked.Increment(ref _left);
}
