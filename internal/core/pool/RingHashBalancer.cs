namespace Gateway.Core.Pool;

/// <summary>
/// Consistent hashing (Karger et al. 1997; ketama): each member has points on a ring in proportion to its weight, and a key belongs to the
/// next point after its hash. What leaves takes only its own keys along; shares are less even than <see cref="MaglevBalancer"/>'s.
/// </summary>
public sealed class RingHashBalancer : HashBalancer
{
    // Per unit of weight; nginx's and ketama's number. A member's share is within some 8% of its due (1 / sqrt(160)).
    private const int PointsPerWeight = 160;

    // Above it all members get half the points, a quarter, and so on: a ring should stay in the cache.
    private const long MostPoints = 1 << 17;

    private readonly ulong[] _points;
    private readonly ushort[] _owners;

    /// <inheritdoc cref="HashBalancer(BalancerMember[], double)"/>
    public RingHashBalancer(BalancerMember[] members, double factor)
        : base(members, factor)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(members.Length, ushort.MaxValue);
        long wanted = 0;
        foreach (BalancerMember member in members) wanted += (long)member.Weight * PointsPerWeight;
        int halvings = 0;
        while (wanted >> halvings > MostPoints) halvings++;

        List<(ulong Point, ushort Owner)> ring = [];
        for (int i = 0; i < members.Length; i++)
        {
            if (members[i].Weight == 0) continue;
            long points = Math.Max(1, (long)members[i].Weight * PointsPerWeight >> halvings);
            for (long p = 0; p < points; p++) ring.Add((StableHash.Of(members[i].Id, (ulong)p), (ushort)i));
        }
        // By owner where points meet, so that every process has the same ring.
        ring.Sort();
        _points = [.. ring.Select(static r => r.Point)];
        _owners = [.. ring.Select(static r => r.Owner)];
    }

    private protected override int MemberOf(ulong hash)
    {
        int found = Array.BinarySearch(_points, hash);
        int next = found >= 0 ? found : ~found;
        return _owners[next == _owners.Length ? 0 : next];
    }
}
