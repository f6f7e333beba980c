using Gateway.Core.Pool;

namespace Gateway.DataPlane.Runtime;

/// <summary>An endpoint across snapshots, by pool name and address.</summary>
internal sealed class EndpointState(string pool, string address) : SharedState
{
    private long _abandoned;

    public string Pool { get; } = pool;
    public string Address { get; } = address;

    /// <summary>The same for the address in every process: by which keys are kept to it.</summary>
    public ulong Id { get; } = StableHash.Of(address);

    public EndpointLoad Load { get; } = new();
    public EndpointHealth Health { get; } = new();

    /// <summary>Requests sent to the endpoint, retries included, and those of them that got no response. Since it became known.</summary>
    public long Attempts => Health.Counts.Total + Volatile.Read(ref _abandoned);
    public long Failures => Health.Counts.Unanswered;

    /// <summary>Counts an attempt that has ended.</summary>
    public void Record(in AttemptResult result)
    {
        Health.Record(result);
        if (result.Kind == AttemptKind.NotOfTheUpstream) Interlocked.Increment(ref _abandoned);
    }

    internal override bool InUse => Load.InFlight != 0;
}
