using Microsoft.AspNetCore.Http.Features;

namespace Gateway.DataPlane.Runtime;

/// <summary>
/// One request on its way, reused for the next request of the same connection. Only the request's own flow touches it. It holds what is
/// known about the request, from which the one outcome is recorded at its end.
/// </summary>
internal sealed class RequestContext
{
    public IFeatureCollection Features { get; set; } = null!;

    /// <summary>Null once the request has become a tunnel: its state stays, the snapshot goes.</summary>
    public GatewaySnapshot? Snapshot { get; set; }

    /// <summary>Set by the server when the context is made, before the application processes the request.</summary>
    public ListenerState ListenerState { get; set; } = null!;

    /// <summary>The listener as <see cref="Snapshot"/> has it: <c>ListenerState.In(snapshot)</c>.</summary>
    public ListenerModel Listener { get; set; } = null!;
    public RouteModel? Route { get; set; }
    public EndpointModel? Endpoint { get; set; }

    public string SnapshotVersion { get; set; } = "";
    public string RequestId { get; set; } = "";

    /// <summary>Timestamps of <see cref="TimeProvider.GetTimestamp"/>; 0 when the phase was not reached.</summary>
    public long StartedAt { get; set; }
    public long UpstreamStartedAt { get; set; }
    public long UpstreamHeadersAt { get; set; }
    public long EndedAt { get; set; }

    public int Status { get; set; }
    public ErrorCategory Category { get; set; }

    /// <summary>What happened, for the log and the error body; never a secret, never upstream content.</summary>
    public string? Detail { get; set; }
    public int Attempts { get; set; }
    public long RequestBytes { get; set; }
    public long ResponseBytes { get; set; }
    public bool IsUpgrade { get; set; }
    public bool IsGrpc { get; set; }
}
