namespace Gateway.Core.Pool;

/// <summary>Always the first member that is left, whatever its weight (Caddy's <c>first</c>): the others stand by.</summary>
public sealed class FirstBalancer(BalancerMember[] members) : Balancer
{
    public override int Pick(in PickContext context)
    {
        for (int i = 0; i < members.Length; i++)
        {
            if (members[i].Weight > 0 && !context.Excluded.Contains(i)) return i;
        }
        return -1;
    }
}
