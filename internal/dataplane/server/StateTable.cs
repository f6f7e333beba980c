using System.Diagnostics.CodeAnalysis;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Server;

/// <summary>The live states of one kind. Everything but the constructor needs the registry's lock.</summary>
internal sealed class StateTable<TKey, TState>(Func<TState, TKey> keyOf)
    where TKey : notnull
    where TState : SharedState
{
    private readonly Dictionary<TKey, TState> _live = [];

    public IEnumerable<TState> All => _live.Values;

    public int Count => _live.Count;

    public bool TryGet(TKey key, [NotNullWhen(true)] out TState? state) => _live.TryGetValue(key, out state);

    /// <summary>It is live, or may become so: no other state has its id, and it has not been released.</summary>
    public bool MayRefer(TState state) => _live.TryGetValue(keyOf(state), out TState? live) ? ReferenceEquals(live, state) : !state.Released;

    /// <summary>True: it has just become live.</summary>
    public bool Refer(TState state)
    {
        state.References++;
        return _live.TryAdd(keyOf(state), state);
    }

    /// <summary>True: the last reference is gone.</summary>
    public static bool Unrefer(TState state) => --state.References == 0;

    /// <summary>True: it was unused and is live no more.</summary>
    public bool TryRelease(TState state)
    {
        if (state.References != 0 || state.InUse || state.Released) return false;
        state.Released = true;
        _live.Remove(keyOf(state));
        return true;
    }
}
