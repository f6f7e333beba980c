namespace Gateway.Core.Pool;

/// <summary>At random by weight.</summary>
public sealed class RandomBalancer(BalancerMember[] members, PickRandom random) : Balancer
{
    private readonly WeightedDraw _draw = new(members, random);

    public override int Pick(in PickContext context) => _draw.One(context.Excluded);
}
