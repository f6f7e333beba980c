namespace Gateway.DataPlane.Obs;

/// <summary>The counters and the histogram of one route. Thread safe; recording allocates nothing after the first time.</summary>
internal sealed class RouteMetrics(string route)
{
    public string Route { get; } = route;

    /// <param name="status">As sent to the client, or as logged when nothing was sent.</param>
    /// <param name="category">Index into the labels that the metrics were made with; 0 for no error.</param>
    /// <param name="elapsedTicks">Stopwatch ticks.</param>
    public void Record(int status, int category, long elapsedTicks)
    {
    }
}

/// <summary>The counters and the histogram of one pool. Thread safe; recording allocates nothing after the first time.</summary>
internal sealed class PoolMetrics(string pool)
{
    public string Pool { get; } = pool;

    /// <param name="category">How the attempt ended: index into the labels that the metrics were made with; 0 for a response.</param>
    /// <param name="elapsedTicks">Stopwatch ticks to the response headers.</param>
    public void RecordAttempt(int category, long elapsedTicks)
    {
    }
}
