namespace Gateway.Core.Pool;

/// <summary>
/// Power of two choices (Mitzenmacher 2001; Envoy's least_request): of two different members drawn by weight, the one with fewer requests
/// in flight per weight; the first drawn when they are level. So an idle pool shares by weight, and a slow member is passed over.
/// </summary>
public sealed class LeastRequestsBalancer(BalancerMember[] members, PickRandom random) : Balancer
{
    private readonly WeightedDraw _draw = new(members, random);

    public override int Pick(in PickContext context)
    {
        (int first, int second) = _draw.Two(context.Excluded);
        if (second < 0) return first;
        BalancerMember a = members[first], b = members[second];
        // a.InFlight / a.Weight <= b.InFlight / b.Weight, without the division.
        return (long)a.Load.InFlight * b.Weight <= (long)b.Load.InFlight * a.Weight ? first : second;
    }
}
