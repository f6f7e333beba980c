namespace Gateway.Core.Pool;

/// <summary>
/// Maglev hashing (Eisenbud et al., NSDI 2016): members fill a table in turns, each in an order of its own, so that every one gets its
/// share almost exactly and few places change hands when one comes or goes. A pick is one look into the table.
/// </summary>
public sealed class MaglevBalancer : HashBalancer
{
    /// <summary>The paper's small table size, a prime.</summary>
    internal const int TableSize = 65_537;

    private readonly ushort[] _table;

    /// <inheritdoc cref="HashBalancer(BalancerMember[], double)"/>
    public MaglevBalancer(BalancerMember[] members, double factor)
        : base(members, factor)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(members.Length, ushort.MaxValue);
        _table = Fill(members);
    }

    private protected override int MemberOf(ulong hash) => _table[(int)Math.BigMul(hash, TableSize, out _)];

    private static ushort[] Fill(BalancerMember[] members)
    {
        long heaviest = 0;
        foreach (BalancerMember member in members) heaviest = Math.Max(heaviest, member.Weight);
        if (heaviest == 0) return [];

        // Turns go by id, so that processes that know the members in another order make the same table.
        int[] turns = [.. Enumerable.Range(0, members.Length).OrderBy(i => members[i].Id)];
        // Member i's permutation of the places is offset, offset + skip, offset + 2 skip, … modulo the prime.
        (int Next, int Skip)[] order = new (int, int)[members.Length];
        for (int i = 0; i < members.Length; i++)
        {
            order[i] = ((int)(StableHash.Of(members[i].Id, 1) % TableSize), (int)(StableHash.Of(members[i].Id, 2) % (TableSize - 1)) + 1);
        }
        ushort[] table = new ushort[TableSize];
        bool[] taken = new bool[TableSize];
        long[] credit = new long[members.Length];
        for (int filled = 0; ;)
        {
            foreach (int i in turns)
            {
                // The heaviest takes a place in each round, the others as often as their weight goes into its.
                credit[i] += members[i].Weight;
                if (credit[i] < heaviest) continue;
                credit[i] -= heaviest;
                ref (int Next, int Skip) at = ref order[i];
                while (taken[at.Next]) at.Next = (at.Next + at.Skip) % TableSize;
                taken[at.Next] = true;
                table[at.Next] = (ushort)i;
                if (++filled == TableSize) return table;
            }
        }
    }
}
