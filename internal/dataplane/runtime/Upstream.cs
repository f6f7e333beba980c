namespace Gateway.DataPlane.Runtime;

/// <summary>
/// The connections to one endpoint under one set of connection settings. Owned by the state registry: shared by the snapshots that use
/// it, disposed when none does and nothing is in flight. Thread safe.
/// </summary>
internal abstract class Upstream : SharedState, IDisposable
{
    /// <summary>Requests and tunnels that use these connections now.</summary>
    public Gateway.Core.Pool.EndpointLoad Load { get; } = new();

    /// <summary>What it is known by in the state registry.</summary>
    public object? Key { get; set; }

    internal override bool InUse => Load.InFlight != 0;

    internal override void Retire() => Dispose();

    /// <summary>Open connections, idle and active.</summary>
    public abstract int Connections { get; }

    public abstract void Dispose();
}
