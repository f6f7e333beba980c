using Gateway.Core.Limits;
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

    /// <summary>How important its requests are when not all can be served.</summary>
    public PriorityRule Priority { get; init; } = PriorityRule.Default;

    public required RouteState State { get; init; }

    /// <summary>
    /// It is of a candidate that is tried, and the pool's endpoints are the live snapshot's beside it: that one does not connect, or is well,
    /// counts as it does for anybody; every other failure is held against the candidate alone.
    /// </summary>
    public bool IsGuestIn(PoolModel pool) => State.Trial != 0 && pool.State.Trial == 0;

    /// <summary>What attempts under this model or, before its first request, under another of the route's share; null before the first of all.</summary>
    public RouteAttempts? KnownAttempts => Volatile.Read(ref _shared) ?? State.Attempts;

    /// <summary>
    /// The model is about to be published. One that was live before still has what its attempts shared then; since, the state has gone on
    /// under another version, and from that its next request takes what fits.
    /// </summary>
    internal void Republish() => Volatile.Write(ref _shared, null);

    /// <summary>What the route's attempts share; of a route with a pool. Made by its first request.</summary>
    public RouteAttempts SharedAttempts(TimeProvider time) => Volatile.Read(ref _shared) ?? (_shared = State.AttemptsFor(Attempts!, Pool!, time));
}

/// <summary>A route across snapshots, by name.</summary>
internal sealed class RouteState(string name, RouteMetrics metrics) : SharedState
{
    private RouteAttempts? _attempts;
    private AttemptCounts? _counts;
    private ConcurrencyLimiter? _limiter;
    private GradientLimit? _gradient;

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

    /// <summary>Who runs and who waits; made by the first who asks for it.</summary>
    public ConcurrencyLimiter Limiter(TimeProvider time) =>
        Volatile.Read(ref _limiter) ?? Interlocked.CompareExchange(ref _limiter, new ConcurrencyLimiter(time), null) ?? _limiter;

    /// <summary>Null while nobody has asked for it.</summary>
    public ConcurrencyLimiter? KnownLimiter => Volatile.Read(ref _limiter);

    /// <summary>What the latencies of its requests say about how many may run; made by the first who asks for it.</summary>
    public GradientLimit Gradient(TimeProvider time) =>
        Volatile.Read(ref _gradient) ?? Interlocked.CompareExchange(ref _gradient, new GradientLimit(time.TimestampFrequency), null) ?? _gradient;

    /// <summary>Null while nobody has asked for it.</summary>
    public GradientLimit? KnownGradient => Volatile.Read(ref _gradient);

    // A route that is gone and comes back while requests still run must not forget them.
    internal override bool InUse => KnownLimiter is { InFlight: > 0 };
}
