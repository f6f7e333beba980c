using System.Net;
using Gateway.Config;
using Gateway.Core.Router;

namespace Gateway.DataPlane.Runtime;

/// <summary>A listener in one snapshot.</summary>
internal sealed class ListenerModel
{
    public required string Name { get; init; }
    public required ListenerConfig Config { get; init; }
    public required EndPoint EndPoint { get; init; }
    public required ListenerState State { get; init; }

    /// <summary>The routes this listener serves; listeners that serve the same ones share a table.</summary>
    public required RouteTable<RouteModel> Routes { get; init; }

    public required IPNetwork[] TrustedProxies { get; init; }
    public required int MaxUrlBytes { get; init; }
    public required int MaxHeaderCount { get; init; }
    public required int MaxHeaderBytes { get; init; }

    /// <summary>Bytes; 0 for no limit.</summary>
    public required long MaxBodyBytes { get; init; }
}

/// <summary>A listener across snapshots, by name. Written by the apply queue only, except the counters.</summary>
internal sealed class ListenerState(string name, int slot)
{
    public string Name { get; } = name;

    /// <summary>Index into <see cref="GatewaySnapshot.ListenersBySlot"/>; never used again for another name.</summary>
    public int Slot { get; } = slot;

    /// <summary>The model of the last snapshot that had this listener, for a request that arrives while the listener is being removed.</summary>
    public ListenerModel? LastModel;
}
