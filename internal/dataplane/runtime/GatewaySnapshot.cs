using Gateway.Config;
using Gateway.Core.Limits;
using Gateway.DataPlane.Obs;

namespace Gateway.DataPlane.Runtime;

/// <summary>
/// Everything a request needs of one configuration: immutable, all names resolved, all defaults filled. A request reads it once and holds
/// it to its end; <see cref="SnapshotStore"/> publishes it with one write.
/// </summary>
public sealed class GatewaySnapshot
{
    internal GatewaySnapshot(string version) => Version = version;

    /// <summary>Lower-case hex SHA-256 of the canonical configuration.</summary>
    public string Version { get; }

    /// <summary>Where the configuration came from: <c>file</c>, <c>admin</c>, <c>rollback</c>, <c>last-good</c>.</summary>
    public string Source { get; internal init; } = "";

    public DateTimeOffset CompiledAt { get; internal init; }

    /// <summary>The document it was compiled from; never read while a request is served.</summary>
    public GatewayConfig Config { get; internal init; } = null!;

    internal AccessLogModel AccessLog { get; init; } = AccessLogModel.Off;
    internal RecordingModel Recording { get; init; } = RecordingModel.Off;
    internal ListenerModel[] Listeners { get; init; } = [];
    internal RouteModel[] Routes { get; init; } = [];
    internal PoolModel[] Pools { get; init; } = [];

    /// <summary>The models of <see cref="Listeners"/> by <see cref="ListenerState.Slot"/>; null where the listener is not in this snapshot.</summary>
    internal ListenerModel?[] ListenersBySlot { get; set; } = [];

    /// <summary>
    /// The same configuration to be published once more, without another compile. Free when it was replaced, it may not be taken up again
    /// itself: requests are counted by object.
    /// </summary>
    public GatewaySnapshot Again(string source) => new(Version)
    {
        Source = source,
        CompiledAt = CompiledAt,
        Config = Config,
        AccessLog = AccessLog,
        Recording = Recording,
        Listeners = Listeners,
        Routes = Routes,
        Pools = Pools,
    };

    /// <summary>Requests bound to this snapshot. Upgraded connections leave it at the upgrade.</summary>
    internal LeaseCounter Leases { get; } = new();
}
