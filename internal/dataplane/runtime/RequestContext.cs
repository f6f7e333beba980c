using System.Net;
using Gateway.DataPlane.Obs;

namespace Gateway.DataPlane.Runtime;

/// <summary>
/// One request on its way, reused for the next request of the same connection. Only the request's own flow touches it. It holds what is
/// known about the request, from which the one outcome is recorded at its end.
/// </summary>
internal sealed class RequestContext
{
    /// <summary>The client's side: the request and the response to it.</summary>
    public IDownstream Downstream { get; set; } = null!;

    /// <summary>The time that it may take.</summary>
    public IRequestTime Time { get; set; } = null!;

    /// <summary>The address the connection came from; null on a Unix socket.</summary>
    public IPAddress? Peer { get; set; }

    /// <summary>The path of the target as received (origin-form), and the query with its question mark; together what goes upstream.</summary>
    public string RawPathAndQuery { get; set; } = "";

    /// <summary>Length of the path within <see cref="RawPathAndQuery"/>.</summary>
    public int RawPathLength { get; set; }

    /// <summary>Host as received, with its port if it had one; empty when absent.</summary>
    public string Host { get; set; } = "";

    /// <summary>Null once the request has become a tunnel: its state stays, the snapshot goes.</summary>
    public GatewaySnapshot? Snapshot { get; set; }

    /// <summary>Set by the server when the context is made, before the application processes the request.</summary>
    public ListenerState ListenerState { get; set; } = null!;

    /// <summary>The listener as <see cref="Snapshot"/> has it: <c>ListenerState.In(snapshot)</c>.</summary>
    public ListenerModel Listener { get; set; } = null!;
    public RouteModel? Route { get; set; }
    public EndpointModel? Endpoint { get; set; }

    /// <summary>Where the request is counted while a candidate is tried; null otherwise, and once it has been counted.</summary>
    public CanaryCounts? Canary { get; set; }

    /// <summary>Which of the two <see cref="Snapshot"/> is while a candidate is tried.</summary>
    public Variant Variant { get; set; }

    public string SnapshotVersion { get; set; } = "";
    public RequestId RequestId { get; set; }

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

    /// <summary>Becomes the context of the same request, so far as another attempt at it needs to know.</summary>
    public void BeginSecond(RequestContext of)
    {
        Downstream = of.Downstream;
        Peer = of.Peer;
        RawPathAndQuery = of.RawPathAndQuery;
        RawPathLength = of.RawPathLength;
        Host = of.Host;
        ListenerState = of.ListenerState;
        Listener = of.Listener;
        Route = of.Route;
        SnapshotVersion = of.SnapshotVersion;
        Variant = of.Variant;
        RequestId = of.RequestId;
        StartedAt = of.StartedAt;
        Attempts = of.Attempts + 1;
        IsGrpc = of.IsGrpc;
    }

    /// <summary>Takes over what came of another attempt at the same request.</summary>
    public void TakeOutcome(RequestContext of)
    {
        Endpoint = of.Endpoint;
        UpstreamStartedAt = of.UpstreamStartedAt;
        UpstreamHeadersAt = of.UpstreamHeadersAt;
        Status = of.Status;
        Category = of.Category;
        Detail = of.Detail;
        FailStatus = of.FailStatus;
        ResponseBytes = of.ResponseBytes;
    }

    /// <summary>The state of the route's breaker when it was asked last, for the log; null without one.</summary>
    public string? Breaker { get; set; }

    /// <summary>When to come again, where it is the gateway that says no; zero when it does not know.</summary>
    public TimeSpan RetryAfter { get; set; }

    /// <summary>When its route's limit let it in; 0 when there was none to pass.</summary>
    public long AdmittedAt { get; set; }

    // One list for all requests of the connection; most need none.
    private List<IRequestEnd>? _ends;

    /// <summary>Has <paramref name="end"/> told when the request has ended.</summary>
    public void AtEnd(IRequestEnd end) => (_ends ??= []).Add(end);

    /// <summary>To be called once, by the application, when the request has ended.</summary>
    public void End()
    {
        if (_ends is not { Count: > 0 } ends) return;
        // The last that was taken is given back first.
        for (int i = ends.Count - 1; i >= 0; i--) ends[i].OnEnd(this);
        ends.Clear();
    }

    /// <summary>Ends the request with an error that the application then answers. The first error stays.</summary>
    public void Fail(ErrorCategory category, string? detail = null, int status = 0)
    {
        if (Category != ErrorCategory.None) return;
        Category = category;
        Detail = detail;
        FailStatus = status;
    }

    /// <summary>Takes back what <see cref="Fail"/> said: there is another attempt.</summary>
    public void ForgetFailure()
    {
        Category = ErrorCategory.None;
        Detail = null;
        FailStatus = 0;
    }

    /// <summary>A status in place of the category's own; 0 for none.</summary>
    public int FailStatus { get; set; }

    public void Reset()
    {
        Peer = null;
        RawPathAndQuery = "";
        RawPathLength = 0;
        Host = "";
        Snapshot = null;
        Canary = null;
        Variant = Variant.None;
        Listener = null!;
        Route = null;
        Endpoint = null;
        SnapshotVersion = "";
        RequestId = default;
        AdmittedAt = StartedAt = UpstreamStartedAt = UpstreamHeadersAt = EndedAt = 0;
        Status = 0;
        ForgetFailure();
        Breaker = null;
        RetryAfter = TimeSpan.Zero;
        Attempts = 0;
        RequestBytes = ResponseBytes = 0;
        IsUpgrade = IsGrpc = false;
    }
}
