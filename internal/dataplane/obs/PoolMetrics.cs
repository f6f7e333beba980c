namespace Gateway.DataPlane.Obs;

/// <summary>
/// The counters and the histogram of one pool. Thread safe; recording allocates nothing after the first time. Exported from
/// <see cref="GatewayMetrics.Attach(PoolMetrics)"/> on; one that was never attached leaves no trace.
/// </summary>
internal sealed class PoolMetrics(string pool, StripeBudget? budget = null)
{
    private TrafficCounts _counts = new(budget ?? new StripeBudget());

    public string Pool { get; } = pool;

    /// <inheritdoc cref="RouteMetrics.Attached"/>
    public bool Attached { get; set; }

    /// <inheritdoc cref="RouteMetrics.Counts"/>
    public TrafficCounts Counts
    {
        get => Volatile.Read(ref _counts);
        set => Volatile.Write(ref _counts, value);
    }

    /// <param name="category">How the attempt ended: index into the labels that the metrics were made with; 0 for a response.</param>
    /// <param name="elapsedTicks">Stopwatch ticks to the response headers; not used without a response.</param>
    public void RecordAttempt(int category, long elapsedTicks)
    {
        // The histogram says how fast the upstream answers; how long it took to fail is a timeout's length, not a latency.
        if (category == 0) Counts.Record(0, elapsedTicks);
        else Counts.RecordCategory(category);
    }
}
