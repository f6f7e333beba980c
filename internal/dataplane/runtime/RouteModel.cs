using Gateway.DataPlane.Obs;

namespace Gateway.DataPlane.Runtime;

/// <summary>A route in one snapshot. Refers to no snapshot, so that an upgraded connection may outlive it.</summary>
internal sealed class RouteModel
{
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

    public required RouteState State { get; init; }
}

/// <summary>A route across snapshots, by name.</summary>
internal sealed class RouteState(string name, RouteMetrics metrics) : SharedState
{
    public string Name { get; } = name;
    public RouteMetrics Metrics { get; } = metrics;
}
