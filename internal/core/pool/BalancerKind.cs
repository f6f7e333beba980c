namespace Gateway.Core.Pool;

public enum BalancerKind : byte
{
    /// <summary>The less busy of two random members (<see cref="LeastRequestsBalancer"/>).</summary>
    LeastRequests,

    /// <summary>In turn, by weight (<see cref="RoundRobinBalancer"/>).</summary>
    RoundRobin,
}
