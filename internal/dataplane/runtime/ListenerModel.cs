using System.Net;
using Gateway.Config;
using Gateway.Core.Limits;
using Gateway.Core.Router;

namespace Gateway.DataPlane.Runtime;

/// <summary>A listener in one snapshot.</summary>
internal sealed class ListenerModel
{
    public required string Name { get; init; }
    public required ListenerConfig Config { get; init; }
    public required EndPoint EndPoint { get; init; }
    public required ListenerState State { get; init; }

    /// <summary>Null without TLS.</summary>
    public required ListenerTls? Tls { get; init; }

    /// <summary>The routes this listener serves; listeners that serve the same ones share a table.</summary>
    public required RouteTable<RouteModel> Routes { get; init; }

    public required IPNetwork[] TrustedProxies { get; init; }
    /// <summary>Null for no limit, as for the other.</summary>
    public AddressRate? RequestRate { get; init; }

    public AddressRate? ConnectionRate { get; init; }
    public required int MaxUrlBytes { get; init; }
    public required int MaxHeaderCount { get; init; }
    public required int MaxHeaderBytes { get; init; }

    /// <summary>Bytes; 0 for no limit.</summary>
    public required long MaxBodyBytes { get; init; }

    /// <summary>The address is in one of <see cref="TrustedProxies"/>.</summary>
    public bool Trusts(IPAddress? address)
    {
        if (TrustedProxies.Length == 0 || address is null) return false;
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        foreach (IPNetwork network in TrustedProxies)
        {
            if (network.Contains(address)) return true;
        }
        return false;
    }
}

/// <summary>A listener across snapshots, by name. Written by the apply queue only, except the counters.</summary>
internal sealed class ListenerState(string name) : SharedState
{
    private ListenerModel? _lastModel;
    private RateTable? _requestRates, _connectionRates;

    public string Name { get; } = name;

    public ConnectionCount Connections { get; } = new();

    public ProxyHeaderCount ProxyHeaders { get; } = new();

    /// <summary>How much each client address has left of a limit; made by the first who asks for it. The seed is of the process, for nobody to know.</summary>
    public RateTable RequestRates => Known(ref _requestRates);

    /// <inheritdoc cref="RequestRates"/>
    public RateTable ConnectionRates => Known(ref _connectionRates);

    private static RateTable Known(ref RateTable? table) =>
        Volatile.Read(ref table) ?? Interlocked.CompareExchange(ref table, new RateTable(AddressRate.Capacity, Gateway.Core.Pool.PickRandom.PerThread.Next()), null) ?? table;

    internal override bool InUse => Connections.Open != 0;

    /// <summary>
    /// Index into <see cref="GatewaySnapshot.ListenersBySlot"/>, given at the first publish. Given to another name only when no snapshot
    /// and no connection knows this one any more.
    /// </summary>
    public int Slot { get; set; } = -1;

    /// <summary>The model of the last snapshot that had this listener, for a request that arrives while the listener is being removed.</summary>
    public ListenerModel? LastModel
    {
        get => Volatile.Read(ref _lastModel);
        set => Volatile.Write(ref _lastModel, value);
    }

    /// <summary>This listener as the snapshot has it.</summary>
    public ListenerModel In(GatewaySnapshot snapshot)
    {
        ListenerModel?[] slots = snapshot.ListenersBySlot;
        return ((uint)Slot < (uint)slots.Length ? slots[Slot] : null) ?? LastModel!;
    }
}
