namespace Gateway.Core.Pool;

/// <summary>Draws an index with a probability in proportion to its weight in constant time (Walker's method in Vose's form, 1991), in exact integers.</summary>
internal sealed class AliasTable
{
    private readonly ulong _total;
    private readonly ulong[] _keep;
    private readonly int[] _alias;

    /// <param name="weights">Not negative, at least one positive.</param>
    public AliasTable(ReadOnlySpan<int> weights)
    {
        int count = weights.Length;
        _keep = new ulong[count];
        _alias = new int[count];
        foreach (int weight in weights) _total += (ulong)weight;

        // Each column holds total units: its own share, count * weight, topped up by one richer member's.
        var poor = new Stack<int>();
        var rich = new Stack<int>();
        for (int i = 0; i < count; i++)
        {
            _keep[i] = (ulong)weights[i] * (ulong)count;
            _alias[i] = i;
            (_keep[i] < _total ? poor : rich).Push(i);
        }
        while (poor.TryPop(out int p))
        {
            int r = rich.Peek();
            _alias[p] = r;
            _keep[r] -= _total - _keep[p];
            if (_keep[r] < _total) poor.Push(rich.Pop());
        }
    }

    public int Draw(PickRandom random)
    {
        ulong drawn = random.Next();
        ulong column = Math.BigMul(drawn, (ulong)_keep.Length, out ulong fraction);
        // The fraction is the part of the draw that the choice of column has not used.
        return Math.BigMul(fraction, _total, out _) < _keep[column] ? (int)column : _alias[column];
    }

    /// <summary>What each index gets of count * total.</summary>
    internal ulong[] Shares()
    {
        ulong[] shares = new ulong[_keep.Length];
        for (int i = 0; i < shares.Length; i++)
        {
            // A column may keep more than it holds only when it has no alias.
            ulong kept = Math.Min(_keep[i], _total);
            shares[i] += kept;
            shares[_alias[i]] += _total - kept;
        }
        return shares;
    }
}
