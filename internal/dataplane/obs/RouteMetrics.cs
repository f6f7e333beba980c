namespace Gateway.DataPlane.Obs;

/// <summary>
/// The counters and the histogram of one route. Thread safe; recording allocates nothing after the first time. Exported from
/// <see cref="GatewayMetrics.Attach(RouteMetrics)"/> on; one that was never attached leaves no trace.
/// </summary>
internal sealed class RouteMetrics(string route, StripeBudget? budget = null)
{
    private TrafficCounts _counts = new(budget ?? new StripeBudget());

    public string Route { get; } = route;

    /// <summary>Under the lock of <see cref="GatewayMetrics"/>.</summary>
    public bool Attached { get; set; }

    /// <summary>Replaced by <see cref="GatewayMetrics"/> when the route leaves: what still runs then counts elsewhere.</summary>
    public TrafficCounts Counts
    {
        get => Volatile.Read(ref _counts);
        set => Volatile.Write(ref _counts, value);
    }

    /// <param name="status">As sent to the client, or as logged when nothing was sent.</param>
    /// <param name="category">Index into the labels that the metrics were made with; 0 for no error.</param>
    /// <param name="elapsedTicks">Stopwatch ticks.</param>
    public void Record(int status, int category, long elapsedTicks)
    {
        TrafficCounts counts = Counts;
        // 1xx to 5xx are outcomes 0 to 4; anything else could only be a server's fault.
        uint outcome = ((uint)status / 100) - 1;
        counts.Record(outcome < TrafficCounts.Outcomes ? (int)outcome : TrafficCounts.Outcomes - 1, elapsedTicks);
        if (category != 0) counts.RecordCategory(category);
    }
}
