namespace Gateway.DataPlane.Runtime;

/// <summary>
/// The requests of a pool that have an endpoint and wait for a connection to it, since it has as many as it may. Counts them; who is next is
/// said by whoever has the connections. Thread safe.
/// </summary>
internal sealed class ConnectionQueue
{
    private int _waiting;
    private long _full, _timedOut;

    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>Those who were turned away because as many waited as may, since the start.</summary>
    public long Full => Interlocked.Read(ref _full);

    /// <summary>Those who waited for as long as they may, since the start.</summary>
    public long TimedOut => Interlocked.Read(ref _timedOut);

    /// <summary>True must be followed by one <see cref="Leave"/>.</summary>
    /// <param name="most">How many may wait.</param>
    public bool TryEnter(int most)
    {
        if (Interlocked.Increment(ref _waiting) <= most) return true;
        Interlocked.Decrement(ref _waiting);
        Interlocked.Increment(ref _full);
        return false;
    }

    public void Leave() => Interlocked.Decrement(ref _waiting);

    public void CountTimeout() => Interlocked.Increment(ref _timedOut);
}
