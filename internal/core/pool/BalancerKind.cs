namespace Gateway.Core.Pool;

public enum BalancerKind : byte
{
    /// <summary>The less busy of two random members (<see cref="LeastRequestsBalancer"/>).</summary>
    LeastRequests,

    /// <summary>In turn, by weight (<see cref="RoundRobinBalancer"/>).</summary>
    RoundRobin,

    /// <summary>The one of two random members that should answer sooner (<see cref="PeakEwmaBalancer"/>).</summary>
    PeakEwma,

    /// <summary>By weight alone (<see cref="RandomBalancer"/>).</summary>
    Random,

    /// <summary>By a key, over an even table (<see cref="MaglevBalancer"/>).</summary>
    Maglev,

    /// <summary>By a key, over a ring (<see cref="RingHashBalancer"/>).</summary>
    RingHash,

    /// <summary>The first that is left (<see cref="FirstBalancer"/>).</summary>
    First,
}
