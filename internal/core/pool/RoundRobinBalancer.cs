namespace Gateway.Core.Pool;

/// <summary>
/// In turn by weight, spread evenly: weights 5, 1, 1 give a a b a c a a, nginx's smooth weighted round robin. The sequence is worked out
/// once, so that a pick is one increment. Where it would be too long, members are taken by a sequence of low discrepancy (multiples of
/// the golden ratio) over the weights laid end to end, which keeps each member's share within a few picks of its due at any time.
/// </summary>
public sealed class RoundRobinBalancer : Balancer
{
    private const int LongestSequence = 4096;

    // 2^64 divided by the golden ratio: the step whose multiples, modulo 2^64, spread best (Knuth, TAOCP 6.4).
    private const ulong GoldenStep = 0x9E3779B97F4A7C15;

    private readonly BalancerMember[] _members;
    private readonly ushort[]? _sequence;
    private readonly ulong[] _weightEnds;
    private long _turn;

    /// <param name="members">As for <see cref="Balancers.Create"/>.</param>
    /// <param name="start">The turn to begin with.</param>
    public RoundRobinBalancer(BalancerMember[] members, ulong start = 0)
    {
        _members = members;
        _weightEnds = new ulong[members.Length];
        ulong total = 0, divisor = 0;
        for (int i = 0; i < members.Length; i++)
        {
            ulong weight = (ulong)members[i].Weight;
            _weightEnds[i] = total += weight;
            divisor = Gcd(weight, divisor);
        }
        // Also no more than a million steps of the quadratic sequence building.
        ulong length = divisor == 0 ? 0 : total / divisor;
        if (length != 0 && length <= LongestSequence && length * (ulong)members.Length <= 1 << 20) _sequence = SmoothSequence(members, (int)divisor, (int)length);
        _turn = (long)(start % Math.Max(length, 1)) - 1;
    }

    public override int Pick(in PickContext context)
    {
        if (_members.Length == 0 || _weightEnds[^1] == 0) return -1;
        ulong turn = (ulong)Interlocked.Increment(ref _turn);
        if (!context.Excluded.IsEmpty) return PickFromRest(turn, context.Excluded);
        if (_sequence is not null) return _sequence[turn % (ulong)_sequence.Length];

        ulong point = Point(turn, _weightEnds[^1]);
        int found = Array.BinarySearch(_weightEnds, point + 1);
        int member = found >= 0 ? found : ~found;
        // A member of weight 0 ends where the one before it ends, and the search may find either.
        while (member > 0 && _weightEnds[member - 1] > point) member--;
        return member;
    }

    // A retry: rare, so it may look at every member. By weight among those left: the next in turn would get all that a failing one loses.
    private int PickFromRest(ulong turn, in MemberSet excluded)
    {
        ulong total = 0;
        for (int i = 0; i < _members.Length; i++)
            if (!excluded.Contains(i)) total += (ulong)_members[i].Weight;
        if (total == 0) return -1;
        ulong point = Point(turn, total);
        for (int i = 0; ; i++)
        {
            if (excluded.Contains(i)) continue;
            ulong weight = (ulong)_members[i].Weight;
            if (point < weight) return i;
            point -= weight;
        }
    }

    private static ulong Point(ulong turn, ulong total) => Math.BigMul(turn * GoldenStep, total, out _);

    private static ushort[] SmoothSequence(BalancerMember[] members, int divisor, int length)
    {
        ushort[] sequence = new ushort[length];
        int[] current = new int[members.Length];
        for (int turn = 0; turn < length; turn++)
        {
            int best = -1;
            for (int i = 0; i < members.Length; i++)
            {
                if (members[i].Weight == 0) continue;
                current[i] += members[i].Weight / divisor;
                if (best < 0 || current[i] > current[best]) best = i;
            }
            current[best] -= length;
            sequence[turn] = (ushort)best;
        }
        return sequence;
    }

    private static ulong Gcd(ulong a, ulong b)
    {
        while (b != 0) (a, b) = (b, a % b);
        return a;
    }
}
