using Gateway.DataPlane.Obs;

namespace Gateway.DataPlane.Runtime;

/// <summary>A route in one snapshot. Refers to no snapshot, so that an upgraded connection may outlive it.</summary>
internal sealed class RouteModel
{
    private RouteAttempts? _shared;

    public required string Name { get; init; }

    /// <summary>The pool to forward to; null when a filter answers every request of the route.</summary>
    public PoolModel? Pool { get; init; }

    /// <summary>The filters that the route uses, in the order of BuiltInFeatures; what it does not use is absent.</summary>
    public IRequestFilter[] Filters { get; init; } = [];

    /// <summary>Bytes, 0 for no limit; null for the listener's.</summary>
    public long? MaxBodyBytes { get; init; }

    /// <summary><see cref="Timeout.InfiniteTimeSpan"/> for none, as for the other two.</summary>
    public required TimeSpan RequestTimeout { get; init; }
    public required TimeSpan AttemptTimeout { get; init; }
    public required TimeSpan IdleTimeout { get; init; }

    /// <summary>Null when a filter answers every request of the route.</summary>
    public AttemptPlan? Attempts { get; init; }

    public required RouteState State { get; init; }

    /// <summary>What the route's attempts share; of a route with a pool. Made by its first request.</summary>
    public RouteAttempts SharedAttempts(TimeProvider time) => Volatile.Read(ref _shared) ?? (_shared = State.AttemptsFor(Attempts!, Pool!, time));
}

/// <summary>A route across snapshots, by name.</summary>
internal sealed class RouteState(string name, RouteMetrics metrics) : SharedState
{
    private RouteAttempts? _attempts;
    private AttemptCounts? _counts;

    public string Name { get; } = name;
    public RouteMetrics Metrics { get; } = metrics;

    /// <summary>Null before the first request to a pool.</summary>
    public RouteAttempts? Attempts => Volatile.Read(ref _attempts);

    /// <summary>Null before the first attempt beyond one per request.</summary>
    public AttemptCounts? AttemptCounts => Volatile.Read(ref _counts);

    /// <summary>The same, to count into.</summary>
    public AttemptCounts CountAttempts() => AttemptCounts ?? Interlocked.CompareExchange(ref _counts, new AttemptCounts(), null) ?? _counts;

    /// <summary>What attempts under these settings share: what is there, when the settings are the same, or the parts of it that may go on.</summary>
    public RouteAttempts AttemptsFor(AttemptPlan plan, PoolModel pool, TimeProvider time)
    {
        while (true)
        {
            RouteAttempts? there = Volatile.Read(ref _attempts);
            if (there is not null && there.Fits(plan, pool)) return there;
            var made = new RouteAttempts(plan, pool, time, there);
            if (Interlocked.CompareExchange(ref _attempts, made, there) == there) return made;
        }
    }
}
