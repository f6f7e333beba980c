namespace Gateway.Core.Pool;

/// <summary>An endpoint as a balancer sees it.</summary>
public readonly record struct BalancerMember(EndpointLoad Load, int Weight);

/// <summary>Chooses an endpoint of a pool. Thread safe; no allocation per pick.</summary>
public abstract class Balancer
{
    /// <summary>The index of the chosen member, or -1 when there is none to choose: no members, all of weight 0, or all excluded.</summary>
    public abstract int Pick(in PickContext context);

    private protected static bool IsExcluded(ulong excluded, int member) => member < 64 && (excluded >> member & 1) != 0;
}
