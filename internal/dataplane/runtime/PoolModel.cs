using Gateway.Config;
using Gateway.Core.Pool;
using Gateway.DataPlane.Obs;

namespace Gateway.DataPlane.Runtime;

/// <summary>A pool in one snapshot.</summary>
internal sealed class PoolModel
{
    public required string Name { get; init; }
    public required UpstreamProtocol Protocol { get; init; }
    public required LoadBalancingPolicy Policy { get; init; }
    public required EndpointModel[] Endpoints { get; init; }

    /// <summary>Picks an index into <see cref="Endpoints"/>.</summary>
    public required Balancer Balancer { get; init; }

    public required PoolState State { get; init; }
}

/// <summary>An endpoint in one snapshot.</summary>
internal sealed class EndpointModel
{
    public required string Address { get; init; }
    public required int Weight { get; init; }
    public required EndpointState State { get; init; }

    /// <summary>The connections to it under this snapshot's settings; shared with every other snapshot that has the same settings.</summary>
    public required Upstream Upstream { get; init; }
}

/// <summary>A pool across snapshots, by name.</summary>
internal sealed class PoolState(string name, PoolMetrics metrics) : SharedState
{
    public string Name { get; } = name;
    public PoolMetrics Metrics { get; } = metrics;
}

/// <summary>An endpoint across snapshots, by pool name and address.</summary>
internal sealed class EndpointState(string pool, string address) : SharedState
{
    private long _attempts, _failures;

    public string Pool { get; } = pool;
    public string Address { get; } = address;
    public EndpointLoad Load { get; } = new();

    /// <summary>Requests sent to the endpoint, retries included, and those of them that got no response. Since it became known.</summary>
    public long Attempts => Volatile.Read(ref _attempts);
    public long Failures => Volatile.Read(ref _failures);

    public void RecordAttempt(bool failed)
    {
        Interlocked.Increment(ref _attempts);
        if (failed) Interlocked.Increment(ref _failures);
    }

    internal override bool InUse => Load.InFlight != 0;
}
