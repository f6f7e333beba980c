namespace Gateway.Core.Pool;

/// <summary>An endpoint as a balancer sees it.</summary>
/// <param name="Weight">0: not to be picked.</param>
/// <param name="Id">The same in every process and across applies, such as <see cref="StableHash"/> of its address; by which keys are kept to it.</param>
public readonly record struct BalancerMember(EndpointLoad Load, int Weight, ulong Id = 0);

/// <summary>Chooses an endpoint of a pool. Thread safe; no allocation per pick.</summary>
public abstract class Balancer
{
    /// <summary>The index of the chosen member, or -1 when there is none to choose: no members, all of weight 0, or all excluded.</summary>
    public abstract int Pick(in PickContext context);
}
