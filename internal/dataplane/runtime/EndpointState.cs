using Gateway.Core.Pool;

namespace Gateway.DataPlane.Runtime;

/// <summary>An endpoint across snapshots, by pool name and address.</summary>
internal sealed class EndpointState(string pool, string address) : SharedState
{
    /// <summary>Percent of its weight that an endpoint has at once (Envoy's slow start: min_weight_percent 10).</summary>
    public const int LeastRamp = 10;

    private long _abandoned;
    private bool _wasUsable;
    private long _usableSince;

    public string Pool { get; } = pool;
    public string Address { get; } = address;

    /// <summary>The same for the address in every process: by which keys are kept to it.</summary>
    public ulong Id { get; } = StableHash.Of(address);

    public EndpointLoad Load { get; } = new();
    public EndpointHealth Health { get; } = new();

    /// <summary>Requests sent to the endpoint, retries included, and those of them that got no response, or not the whole of one. Since it became known.</summary>
    public long Attempts => Health.Counts.Total + Volatile.Read(ref _abandoned);
    public long Failures => Health.Counts.Unanswered;

    /// <summary>Percent of its weight that it has while its connections and caches warm up: it rises evenly, over <paramref name="slowStart"/>.</summary>
    public int RampPercent(TimeSpan slowStart, long now, TimeProvider time)
    {
        long since = Volatile.Read(ref _usableSince);
        if (since == 0) return LeastRamp;
        return (int)Math.Clamp(100 * (time.GetElapsedTime(since, now) / slowStart), LeastRamp, 100);
    }

    /// <summary>Notes since when it is usable. One call at a time: <see cref="PoolState"/> makes them before it rebuilds.</summary>
    internal void NoteUsable(long now)
    {
        bool usable = Health.IsUsable;
        if (usable && !_wasUsable) Volatile.Write(ref _usableSince, now);
        _wasUsable = usable;
    }

    /// <summary>Counts an attempt that has ended.</summary>
    public void Record(in AttemptResult result)
    {
        Health.Record(result);
        if (result.Kind == AttemptKind.NotOfTheUpstream) Interlocked.Increment(ref _abandoned);
    }

    internal override bool InUse => Load.InFlight != 0;
}
