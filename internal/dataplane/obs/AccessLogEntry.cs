using System.Net;

namespace Gateway.DataPlane.Obs;

/// <summary>
/// What is known about a request at its end, as values: references and numbers only, so that handing it over formats and allocates
/// nothing. Times are timestamps of the log's <see cref="TimeProvider"/>; 0 where the phase was not reached. A null is written as such.
/// </summary>
internal struct AccessLogEntry
{
    /// <summary>Set by <see cref="AccessLog"/>: the settings that were current when the request ended.</summary>
    public AccessLogModel? Model;

    public RequestId RequestId;
    public string? Method;
    public string? Scheme;
    public string? Host;

    /// <summary>Path as received, and the query with its question mark.</summary>
    public string? Target;

    /// <summary>Length of the path within <see cref="Target"/>.</summary>
    public int PathLength;

    public string? Protocol;
    public string? Route;
    public string? Pool;
    public string? Endpoint;

    /// <summary>The state of the breaker when it was asked: <c>closed</c>, <c>half_open</c> or <c>open</c>; null without one.</summary>
    public string? Breaker;

    /// <summary>The label of the error category; null or empty for none.</summary>
    public string? Category;
    public string? Detail;
    public string? Snapshot;

    /// <summary><c>stable</c> or <c>canary</c> while a candidate is tried; null otherwise.</summary>
    public string? Variant;
    public IPAddress? ClientIp;
    public string? Listener;
    public string? UserAgent;
    public string? Referer;
    public string? TlsVersion;
    public string? TlsCipher;
    public string? Sni;

    public int Status;
    public int Attempts;
    public long StartedAt;
    public long EndedAt;
    public long UpstreamStartedAt;
    public long UpstreamHeadersAt;
    public long RequestBytes;
    public long ResponseBytes;
}
