using System.Diagnostics;

namespace Gateway.DataPlane.Obs;

/// <summary>A counter or a gauge with labels. Thread safe. Its series are bounded: what comes after the first thousand label sets counts as <c>other</c>.</summary>
public sealed class MetricFamily
{
    private const int MaxSeries = 1000;

    private readonly Lock _gate = new();
    private readonly Dictionary<string[], MetricSeries> _series = new(LabelValues.Comparer);
    private readonly string[] _labels;

    internal MetricFamily(string name, string help, MetricKind kind, string[] labels)
    {
        (Name, Help, Kind, _labels) = (name, help, kind, labels);
        // A series without labels is there from the start, so that a rate over it sees the first increment.
        if (labels.Length == 0) _ = With();
    }

    internal string Name { get; }
    internal string Help { get; }
    internal MetricKind Kind { get; }
    internal IReadOnlyList<string> Labels => _labels;

    /// <summary>The series of these label values, to keep at hand where it is used often. Created at 0.</summary>
    internal MetricSeries With(params string[] labelValues)
    {
        CheckLabels(labelValues);
        lock (_gate) return With_NeedsLock(labelValues);
    }

    /// <summary>Adds to the series of these label values. A counter is never given a negative one.</summary>
    public void Add(double value, params string[] labelValues) => With(labelValues).Add(value);

    /// <summary>Sets the gauge of these label values.</summary>
    public void Set(double value, params string[] labelValues) => With(labelValues).Set(value);

    /// <summary>Makes this the only series, in one step: for an info metric whose labels change.</summary>
    public void SetOnly(double value, params string[] labelValues)
    {
        CheckLabels(labelValues);
        lock (_gate)
        {
            _series.Clear();
            With_NeedsLock(labelValues).Set(value);
        }
    }

    /// <summary>Forgets every series, for an info metric whose labels change.</summary>
    public void Clear()
    {
        lock (_gate) _series.Clear();
    }

    internal void Write(Exposition exposition)
    {
        lock (_gate)
        {
            // Also without a series: the names that there are can then be read from any scrape.
            exposition.Family(Name, Help, Kind);
            foreach (MetricSeries series in _series.Values) exposition.Sample(series.Labels, series.Value);
        }
    }

    private MetricSeries With_NeedsLock(string[] labelValues)
    {
        if (_series.TryGetValue(labelValues, out MetricSeries? series)) return series;
        string[] values = [.. labelValues];
        if (_series.Count >= MaxSeries) Array.Fill(values, NamedTraffic.Other);
        if (_series.TryGetValue(values, out series)) return series;
        series = new MetricSeries(Exposition.Labels(_labels, values));
        _series.Add(values, series);
        return series;
    }

    private void CheckLabels(string[] labelValues)
    {
        if (labelValues.Length != _labels.Length) throw new ArgumentException($"{Name} has {_labels.Length} labels, not {labelValues.Length}.", nameof(labelValues));
    }
}

/// <summary>One series of a <see cref="MetricFamily"/>. Thread safe; allocates nothing.</summary>
internal sealed class MetricSeries
{
    private long _bits;

    public MetricSeries(byte[] labels) => Labels = labels;

    public byte[] Labels { get; }

    public double Value => BitConverter.Int64BitsToDouble(Volatile.Read(ref _bits));

    public void Set(double value) => Volatile.Write(ref _bits, BitConverter.DoubleToInt64Bits(value));

    public void Add(double value)
    {
        long seen = Volatile.Read(ref _bits);
        while (true)
        {
            long next = BitConverter.DoubleToInt64Bits(BitConverter.Int64BitsToDouble(seen) + value);
            long was = Interlocked.CompareExchange(ref _bits, next, seen);
            if (was == seen) return;
            seen = was;
        }
    }
}

/// <summary>A histogram of durations in seconds. Thread safe.</summary>
public sealed class DurationHistogram
{
    private readonly long[] _buckets = new long[DurationBuckets.Count];
    private long _ticks;

    internal DurationHistogram(string name, string help) => (Name, Help) = (name, help);

    internal string Name { get; }
    internal string Help { get; }

    public void Record(TimeSpan duration)
    {
        long ticks = (long)(duration.TotalSeconds * Stopwatch.Frequency);
        Interlocked.Increment(ref _buckets[DurationBuckets.IndexOf(ticks)]);
        if (ticks > 0) Interlocked.Add(ref _ticks, ticks);
    }

    internal void Write(Exposition exposition)
    {
        Span<long> buckets = stackalloc long[DurationBuckets.Count];
        for (int i = 0; i < buckets.Length; i++) buckets[i] = Volatile.Read(ref _buckets[i]);
        exposition.Family(Name, Help, MetricKind.Histogram);
        exposition.Histogram([], buckets, Volatile.Read(ref _ticks) / (double)Stopwatch.Frequency);
    }
}

/// <summary>Label values as a key.</summary>
internal sealed class LabelValues : IEqualityComparer<string[]>
{
    public static readonly LabelValues Comparer = new();

    public bool Equals(string[]? x, string[]? y) => x.AsSpan().SequenceEqual(y);

    public int GetHashCode(string[] values)
    {
        HashCode hash = default;
        foreach (string value in values) hash.Add(value, StringComparer.Ordinal);
        return hash.ToHashCode();
    }
}
