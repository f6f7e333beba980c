namespace Gateway.Core.Pool;

/// <summary>Draws members at random in proportion to their weights, some of them left out if need be. Thread safe where its random source is.</summary>
internal sealed class WeightedDraw
{
    // A heavy member may be drawn again and again; after so many tries the second is taken from the others exactly.
    private const int Redraws = 3;

    private readonly BalancerMember[] _members;
    private readonly PickRandom _random;
    private readonly AliasTable? _byWeight;
    private readonly int _only = -1;

    public WeightedDraw(BalancerMember[] members, PickRandom random)
    {
        _members = members;
        _random = random;
        int eligible = 0;
        int[] weights = new int[members.Length];
        for (int i = 0; i < members.Length; i++)
        {
            weights[i] = members[i].Weight;
            if (weights[i] <= 0) continue;
            eligible++;
            _only = i;
        }
        if (eligible > 1) _byWeight = new AliasTable(weights);
    }

    /// <summary>One that is not excluded; -1 when there is none.</summary>
    public int One(in MemberSet excluded)
    {
        // A retry is rare, so it may look at every member.
        if (!excluded.IsEmpty) return Other(excluded, -1);
        return _byWeight is null ? _only : _byWeight.Draw(_random);
    }

    /// <summary>Two different ones that are not excluded; second is -1 when there is but one, first too when there is none.</summary>
    public (int First, int Second) Two(in MemberSet excluded)
    {
        int first = One(excluded);
        if (!excluded.IsEmpty) return (first, first < 0 ? -1 : Other(excluded, first));
        if (_byWeight is null) return (first, -1);
        for (int i = 0; i < Redraws; i++)
        {
            int second = _byWeight.Draw(_random);
            if (second != first) return (first, second);
        }
        return (first, Other(default, first));
    }

    private int Other(in MemberSet excluded, int not)
    {
        ulong total = 0;
        for (int i = 0; i < _members.Length; i++)
            if (i != not && !excluded.Contains(i)) total += (ulong)_members[i].Weight;
        if (total == 0) return -1;
        ulong drawn = _random.Below(total);
        for (int i = 0; ; i++)
        {
            if (i == not || excluded.Contains(i)) continue;
            ulong weight = (ulong)_members[i].Weight;
            if (drawn < weight) return i;
            drawn -= weight;
        }
    }
}
