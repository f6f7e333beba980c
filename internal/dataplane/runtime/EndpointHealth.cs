namespace Gateway.DataPlane.Runtime;

/// <summary>Why an endpoint is not well. Several may hold at once.</summary>
[Flags]
internal enum EndpointFaults
{
    None = 0,

    /// <summary>Active probes found it unhealthy.</summary>
    ProbeFailed = 1,

    /// <summary>Ejected for what requests met on it, for a time.</summary>
    Ejected = 2,
}

/// <summary>
/// How an endpoint is. Lives as long as the endpoint, across applies. Thread safe; who changes it tells
/// <see cref="PoolState.EndpointsChanged"/>, which is what makes requests see it.
/// </summary>
internal sealed class EndpointHealth
{
    private int _faults;

    public EndpointFaults Faults => (EndpointFaults)Volatile.Read(ref _faults);

    /// <summary>Nothing is known against it: true of one that is new.</summary>
    public bool IsUsable => Faults == EndpointFaults.None;

    /// <summary>Notes that <paramref name="fault"/> holds or holds no more. True when that is a change.</summary>
    public bool Set(EndpointFaults fault, bool holds)
    {
        int bits = (int)fault;
        int before = holds ? Interlocked.Or(ref _faults, bits) : Interlocked.And(ref _faults, ~bits);
        return (before & bits) != (holds ? bits : 0);
    }
}
