namespace Gateway.DataPlane.Server;

/// <summary>Which of the routes of a document, by index.</summary>
internal sealed class BitSet(int size) : IEquatable<BitSet>
{
    private readonly ulong[] _words = new ulong[(size + 63) / 64];

    public int Count { get; private set; }

    public bool this[int index] => (_words[index >> 6] >> (index & 63) & 1) != 0;

    public void Add(int index)
    {
        if (this[index]) return;
        _words[index >> 6] |= 1UL << (index & 63);
        Count++;
    }

    public bool Equals(BitSet? other) => other is not null && _words.AsSpan().SequenceEqual(other._words);

    public override bool Equals(object? obj) => Equals(obj as BitSet);

    public override int GetHashCode() => HashCode.Combine(Count, _words.Length);
}
