namespace Gateway.Core.Pool;

/// <summary>
/// Power of two choices (Mitzenmacher 2001; Envoy's least_request): of two different members drawn by weight, the one with fewer requests
/// in flight per weight; the first drawn when they are level. So an idle pool shares by weight, and a slow member is passed over.
/// </summary>
public sealed class LeastRequestsBalancer : Balancer
{
    // A heavy member may be drawn again and again; after so many tries the second choice is taken from the others exactly.
    private const int Redraws = 3;

    private readonly BalancerMember[] _members;
    private readonly PickRandom _random;
    private readonly AliasTable? _byWeight;
    private readonly int _eligible;
    private readonly int _only = -1;

    public LeastRequestsBalancer(BalancerMember[] members, PickRandom random)
    {
        _members = members;
        _random = random;
        int[] weights = new int[members.Length];
        for (int i = 0; i < members.Length; i++)
        {
            weights[i] = members[i].Weight;
            if (weights[i] <= 0) continue;
            _eligible++;
            _only = i;
        }
        if (_eligible > 1) _byWeight = new AliasTable(weights);
    }

    public override int Pick(in PickContext context)
    {
        if (context.Excluded != 0) return PickFromRest(context.Excluded);
        if (_byWeight is null) return _only;
        int first = _byWeight.Draw(_random);
        for (int i = 0; i < Redraws; i++)
        {
            int second = _byWeight.Draw(_random);
            if (second != first) return LessBusy(first, second);
        }
        return LessBusy(first, DrawOther(0, first));
    }

    // A retry: rare, so it may look at every member.
    private int PickFromRest(ulong excluded)
    {
        int first = DrawOther(excluded, -1);
        if (first < 0) return -1;
        int second = DrawOther(excluded, first);
        return second < 0 ? first : LessBusy(first, second);
    }

    private int DrawOther(ulong excluded, int not)
    {
        ulong total = 0;
        for (int i = 0; i < _members.Length; i++)
            if (i != not && !IsExcluded(excluded, i)) total += (ulong)_members[i].Weight;
        if (total == 0) return -1;
        ulong drawn = _random.Below(total);
        for (int i = 0; ; i++)
        {
            if (i == not || IsExcluded(excluded, i)) continue;
            ulong weight = (ulong)_members[i].Weight;
            if (drawn < weight) return i;
            drawn -= weight;
        }
    }

    private int LessBusy(int first, int second)
    {
        BalancerMember a = _members[first], b = _members[second];
        // a.InFlight / a.Weight <= b.InFlight / b.Weight, without the division.
        return (long)a.Load.InFlight * b.Weight <= (long)b.Load.InFlight * a.Weight ? first : second;
    }
}
