namespace Gateway.Core.Pool;

/// <summary>
/// A few of a balancer's members, by index. Immutable. The first 64 are one word, so that for pools of the usual size it costs nothing;
/// beyond them there is an array, made anew by each change: sets grow by one for each retry of one request.
/// </summary>
public readonly struct MemberSet
{
    private readonly ulong _first;
    private readonly ulong[]? _rest;

    private MemberSet(ulong first, ulong[]? rest) => (_first, _rest) = (first, rest);

    public bool IsEmpty => _first == 0 && _rest is null;

    /// <summary>Bit i: member i.</summary>
    public static implicit operator MemberSet(ulong first) => new(first, null);

    public bool Contains(int member)
    {
        if (member < 64) return (_first >> member & 1) != 0;
        int word = (member >> 6) - 1;
        return _rest is not null && word < _rest.Length && (_rest[word] >> (member & 63) & 1) != 0;
    }

    /// <param name="member">-1 for none.</param>
    public MemberSet With(int member)
    {
        if (member < 0) return this;
        if (member < 64) return new MemberSet(_first | 1UL << member, _rest);
        int word = (member >> 6) - 1;
        ulong[] rest = new ulong[Math.Max(word + 1, _rest?.Length ?? 0)];
        _rest?.CopyTo(rest, 0);
        rest[word] |= 1UL << (member & 63);
        return new MemberSet(_first, rest);
    }

    /// <summary>Those in it, and of the first <paramref name="count"/> those that <paramref name="also"/> holds for.</summary>
    public MemberSet With<T>(int count, T state, Func<T, int, bool> also)
    {
        ulong first = _first;
        ulong[]? rest = count <= 64 ? _rest : new ulong[Math.Max((count - 1) >> 6, _rest?.Length ?? 0)];
        if (rest != _rest) _rest?.CopyTo(rest!, 0);
        for (int i = 0; i < count; i++)
        {
            if (!also(state, i)) continue;
            if (i < 64) first |= 1UL << i;
            else rest![(i >> 6) - 1] |= 1UL << (i & 63);
        }
        return new MemberSet(first, rest);
    }
}
