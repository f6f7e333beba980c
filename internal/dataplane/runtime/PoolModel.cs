using Gateway.Config;
using Gateway.Core.Breaker;
using Gateway.Core.Limits;
using Gateway.Core.Pool;

namespace Gateway.DataPlane.Runtime;

/// <summary>How a pool chooses among its endpoints.</summary>
/// <param name="PanicThreshold">Percent of the endpoints; with fewer healthy ones all are used.</param>
/// <param name="HashKey">What of a request makes <see cref="PickContext.Hash"/>; null when the balancer does not go by it.</param>
/// <param name="SlowStart">How long an endpoint that is new or has recovered takes to its whole weight; zero for not at all.</param>
/// <param name="AffinityCookie">Its name; null for no affinity. Then the endpoints have tags.</param>
/// <param name="MostRequests">Requests that one endpoint may have at once; 0 for as many as come.</param>
/// <param name="Queue">How requests wait while all endpoints have that many, and for a connection where there are as many as may be.</param>
/// <param name="MostConnections">That one endpoint may have; 0 for as many as it takes.</param>
internal sealed record EndpointPlan(
    Balancing Balancing, int PanicThreshold, RequestKey? HashKey = null, TimeSpan SlowStart = default, string? AffinityCookie = null, int MostRequests = 0, QueueSettings Queue = default, int MostConnections = 0);

/// <summary>
/// A pool in one snapshot. All of it is immutable but <see cref="Current"/>, which follows the endpoints' health while the snapshot is in
/// use; who changes that is <see cref="State"/>.
/// </summary>
internal sealed class PoolModel
{
    private EndpointSet _current;

    /// <param name="previous">The set of the pool in the live snapshot, whose balancer may go on; null for none.</param>
    public PoolModel(PoolState state, EndpointPlan plan, EndpointModel[] endpoints, EndpointSet? previous)
    {
        State = state;
        Plan = plan;
        Endpoints = endpoints;
        _current = EndpointSetBuilder.Build(plan, endpoints, previous, state.Changes, state.Time);
    }

    public string Name => State.Name;
    public PoolState State { get; }
    public EndpointPlan Plan { get; }
    public required UpstreamProtocol Protocol { get; init; }

    /// <summary>How its endpoints are watched.</summary>
    public HealthPlan Health { get; init; } = HealthPlan.None;

    /// <summary>When routes stop sending to the pool, each by itself; null for never.</summary>
    public BreakerSettings? Breaker { get; init; }

    /// <summary>Where endpoints beyond the document's come from; null for nowhere.</summary>
    public EndpointSource? Source { get; init; }

    /// <summary>The endpoints now.</summary>
    public EndpointSet Current => Volatile.Read(ref _current);

    /// <summary>Counts a request out that <see cref="EndpointSet.Take"/> has counted in; who waits for its place gets it.</summary>
    public void Leave(EndpointModel endpoint)
    {
        endpoint.State.Load.End();
        State.Queue.Serve();
    }

    /// <summary>Published snapshots that have it. Read and written under the registry's lock.</summary>
    internal int References { get; set; }

    /// <summary>All endpoints, as the next rebuild takes them. Written by <see cref="Replace"/>.</summary>
    internal EndpointModel[] Endpoints { get; private set; }

    /// <summary>What <see cref="Source"/> has made them of. Read and written under the registry's lock.</summary>
    internal IReadOnlyList<DiscoveredEndpoint> Found { get; set; } = [];

    /// <summary>Takes other endpoints, for the rebuild that must follow. One call at a time, and none beside a rebuild.</summary>
    internal void Replace(EndpointModel[] endpoints) => Endpoints = endpoints;

    /// <summary>Makes and publishes the set of what the endpoints are now. One call at a time.</summary>
    internal void Rebuild()
    {
        long change = State.Changes;
        EndpointSet before = _current;
        Volatile.Write(ref _current, EndpointSetBuilder.Build(Plan, Endpoints, before, change, State.Time));
    }
}

/// <summary>An endpoint in one snapshot.</summary>
internal sealed class EndpointModel
{
    public required string Address { get; init; }
    public required int Weight { get; init; }

    /// <summary>Where it is; null when that is not known.</summary>
    public string? Zone { get; init; }

    /// <summary>As in the document; what it is preferred by is <see cref="Rank"/>.</summary>
    public int Priority { get; init; }

    /// <summary>Endpoints of the least rank are preferred: by priority, and within one by whether it is in the gateway's zone.</summary>
    public int Rank { get; init; }

    /// <summary>What affinity cookies call it; null without affinity.</summary>
    public EndpointTag? Tag { get; init; }
    public required EndpointState State { get; init; }

    /// <summary>The connections to it under this snapshot's settings; shared with every other snapshot that has the same settings.</summary>
    public required Upstream Upstream { get; init; }
}
