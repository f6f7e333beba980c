namespace Gateway.Core.Pool;

/// <summary>How a pool's endpoint is chosen.</summary>
/// <param name="Kind">The algorithm.</param>
/// <param name="BoundedLoad">For the hashing ones: how much of its share a member may have, from 1; 0 for no bound.</param>
public readonly record struct Balancing(BalancerKind Kind, double BoundedLoad = 0)
{
    /// <summary>Picks depend on <see cref="PickContext.Hash"/>.</summary>
    public bool IsByHash => Kind is BalancerKind.Maglev or BalancerKind.RingHash;

    /// <summary>Picks depend on <see cref="EndpointLoad.Latency"/>.</summary>
    public bool IsByLatency => Kind is BalancerKind.PeakEwma;
}

/// <summary>Makes balancers.</summary>
public static class Balancers
{
    /// <param name="balancing">How to choose.</param>
    /// <param name="members">In the order that <see cref="Balancer.Pick"/>'s index refers to. Weights are not negative; the array is not changed later.</param>
    /// <param name="random">Must be thread safe when the balancer is used by several threads, as <see cref="PickRandom.PerThread"/> is.</param>
    /// <param name="time">The clock that <see cref="EndpointLoad.Observe"/> is given times of.</param>
    public static Balancer Create(Balancing balancing, BalancerMember[] members, PickRandom random, TimeProvider time) => balancing.Kind switch
    {
        BalancerKind.LeastRequests => new LeastRequestsBalancer(members, random),
        // A random start: a new snapshot starts anew, and should not always send its first requests to the first member.
        BalancerKind.RoundRobin => new RoundRobinBalancer(members, random.Next()),
        BalancerKind.PeakEwma => new PeakEwmaBalancer(members, random, time),
        BalancerKind.Random => new RandomBalancer(members, random),
        BalancerKind.Maglev => new MaglevBalancer(members, balancing.BoundedLoad),
        BalancerKind.RingHash => new RingHashBalancer(members, balancing.BoundedLoad),
        BalancerKind.First => new FirstBalancer(members),
        _ => throw new ArgumentOutOfRangeException(nameof(balancing)),
    };
}
