namespace Gateway.Core.Pool;

/// <summary>
/// Keeps a key to a member, with bounded load (Mirrokni, Thorup and Zadimoghaddam 2018): a member that has more than its share of the
/// requests in flight, times the factor, passes on what hashes to it. The share is rounded up, so an idle member always takes a request.
/// What a member passes on is hashed again, and so spread over all others, always the same way for the same key.
/// </summary>
public abstract class HashBalancer : Balancer
{
    // So often a key is hashed again before the members are gone through in order: enough that a few busy ones leave a choice by weight.
    private const int Rehashes = 8;

    private readonly BalancerMember[] _members;
    private readonly double _factor;
    private readonly long _totalWeight;

    /// <param name="members">As for <see cref="Balancers.Create"/>.</param>
    /// <param name="factor">How much of its share a member may have, from 1; 0 for no bound.</param>
    private protected HashBalancer(BalancerMember[] members, double factor)
    {
        _members = members;
        _factor = factor;
        foreach (BalancerMember member in members) _totalWeight += member.Weight;
    }

    /// <summary>The member that a key belongs to, never one of weight 0. Not called when all are.</summary>
    private protected abstract int MemberOf(ulong hash);

    public override int Pick(in PickContext context)
    {
        if (_totalWeight == 0) return -1;
        int member = MemberOf(context.Hash);
        // One that idles is within any bound, and most are idle most of the time: then the others are not looked at.
        if (!context.Excluded.Contains(member) && (_factor == 0 || _members[member].Load.InFlight == 0)) return member;

        double limitPerWeight = _factor == 0 ? double.PositiveInfinity : LimitPerWeight();
        for (ulong i = 1; ; i++)
        {
            if (!context.Excluded.Contains(member) && IsWithin(limitPerWeight, member)) return member;
            if (i > Rehashes) return FirstFrom(context.Hash, context.Excluded, limitPerWeight);
            member = MemberOf(StableHash.Of(context.Hash, i));
        }
    }

    private int FirstFrom(ulong hash, in MemberSet excluded, double limitPerWeight)
    {
        int beyond = -1;
        for (int i = 0; i < _members.Length; i++)
        {
            int member = (int)((hash % (ulong)_members.Length + (ulong)i) % (ulong)_members.Length);
            if (_members[member].Weight == 0 || excluded.Contains(member)) continue;
            if (IsWithin(limitPerWeight, member)) return member;
            if (beyond < 0) beyond = member;
        }
        // All that is left is beyond its share, because the rest is excluded: then the bound yields.
        return beyond;
    }

    private double LimitPerWeight()
    {
        // With the request that is to be placed.
        long inFlight = 1;
        foreach (BalancerMember member in _members)
            if (member.Weight > 0) inFlight += member.Load.InFlight;
        return _factor * inFlight / _totalWeight;
    }

    private bool IsWithin(double limitPerWeight, int member) => _members[member].Load.InFlight < Math.Ceiling(limitPerWeight * _members[member].Weight);
}
