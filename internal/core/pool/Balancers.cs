namespace Gateway.Core.Pool;

/// <summary>Makes balancers.</summary>
public static class Balancers
{
    /// <param name="kind">How to choose.</param>
    /// <param name="members">In the order that <see cref="Balancer.Pick"/>'s index refers to. Weights are not negative; the array is not changed later.</param>
    /// <param name="random">Must be thread safe when the balancer is used by several threads, as <see cref="PickRandom.PerThread"/> is.</param>
    public static Balancer Create(BalancerKind kind, BalancerMember[] members, PickRandom random) => kind switch
    {
        BalancerKind.LeastRequests => new LeastRequestsBalancer(members, random),
        // A random start: a new snapshot starts anew, and should not always send its first requests to the first member.
        BalancerKind.RoundRobin => new RoundRobinBalancer(members, random.Next()),
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };
}
