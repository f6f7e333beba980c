using System.Text.Json;

namespace Gateway.Client;

/// <summary>Body of <c>POST /admin/explain</c>.</summary>
/// <param name="Url"><c>https://host:port/path?query</c>, kept byte for byte; or a path alone, with a Host header.</param>
public sealed record ExplainRequest(string Url)
{
    public string Method { get; init; } = "GET";

    /// <summary>Header fields by name, with all of their values.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Headers { get; init; } = new Dictionary<string, IReadOnlyList<string>>();

    /// <summary>The address it comes from; null for one that nothing is known of.</summary>
    public string? ClientIp { get; init; }

    /// <summary>The listener it comes in on; null for the one that fits the URL best.</summary>
    public string? Listener { get; init; }

    /// <summary>A version (or a unique beginning of at least 8 characters) or an RFC 3339 time: what was live then. Null for what is live now.</summary>
    public string? At { get; init; }

    /// <summary>A candidate: an object is a JSON document, a text a YAML one. Not together with <see cref="At"/>.</summary>
    public JsonElement? Config { get; init; }

    /// <summary>The most routes to name; the chosen one comes in any case.</summary>
    public int Candidates { get; init; } = 50;
}

/// <summary>Answer to <c>POST /admin/explain</c>: what a configuration does with a request, and why.</summary>
/// <param name="Version">Of the configuration that was asked.</param>
/// <param name="Listener">The listener that takes the request.</param>
/// <param name="ListenerReason">Why this one.</param>
/// <param name="Path">The path as routes are compared with it.</param>
/// <param name="OtherReading">What a generous upstream may read the path as, when that is another path.</param>
/// <param name="TwoReadings">True: nothing matched because the two readings choose different routes.</param>
/// <param name="Route">Null when none matches.</param>
/// <param name="Category">Category of the gateway's own error; null without one.</param>
/// <param name="Status">What the gateway answers by itself; null when the request is forwarded.</param>
/// <param name="Headers">Header fields of that answer.</param>
/// <param name="Candidates">Routes, nearest first.</param>
/// <param name="Routes">Number of routes of the listener.</param>
/// <param name="Filters">What the request passes before it is forwarded, in order.</param>
/// <param name="Pool">Where it is forwarded to, as it is now; null when it is not.</param>
/// <param name="ClientIsTrustedProxy">Whether the listener believes the forwarding headers of the client's address; null when none was given.</param>
public sealed record Explanation(
    string Version, string Listener, string ListenerReason, string Path, string? OtherReading, bool TwoReadings, string? Route, string? Category, int? Status,
    IReadOnlyDictionary<string, string> Headers, IReadOnlyList<ExplainedCandidate> Candidates, int Routes, IReadOnlyList<ExplainedFilter> Filters,
    Pool? Pool, ExplainedLimits? Limits, ExplainedTimeouts? Timeouts, bool? ClientIsTrustedProxy)
{
    /// <summary>
    /// Who serves such a request while a candidate is tried beside the live configuration: <c>stable</c>, <c>canary</c>, or <c>random</c> when
    /// each is drawn anew (the rest is then of the live one). Null while none is tried.
    /// </summary>
    public string? Variant { get; init; }

    /// <summary>What the route's mechanisms stand at; null for a configuration that serves no requests, and without a route.</summary>
    public RouteState? State { get; init; }

    /// <summary>How that is decided; null while no candidate is tried.</summary>
    public ExplainedCanary? Canary { get; init; }
}

/// <summary>Which share the candidate has, and where the request stands.</summary>
/// <param name="Bucket">Of 10 000: the candidate serves those below its share. Null when the request is drawn.</param>
/// <param name="Percent">The candidate's share.</param>
public sealed record ExplainedCanary(int? Bucket, double Percent);

/// <summary>A route and why it won or lost.</summary>
/// <param name="Verdict"><c>won</c>, <c>rank</c>, <c>method</c>, <c>header</c>, <c>query</c>, <c>path</c>, <c>host</c> or <c>two_readings</c>.</param>
public sealed record ExplainedCandidate(string Route, string Verdict, string Reason);

/// <param name="Effect">What it does with the request, for a person.</param>
public sealed record ExplainedFilter(string Name, string Effect);

/// <summary>Bytes and counts; 0 for no limit.</summary>
public sealed record ExplainedLimits(int UrlBytes, int HeaderCount, int HeaderBytes, long BodyBytes)
{
    /// <summary>Open connections of the listener; 0 for no limit.</summary>
    public int Connections { get; init; }

    /// <summary>Open connections of one client address; 0 for no limit.</summary>
    public int ConnectionsPerAddress { get; init; }

    /// <summary>New connections of one client address; null for no limit.</summary>
    public ExplainedRate? ConnectionRatePerAddress { get; init; }

    /// <summary>Requests of one client address; null for no limit.</summary>
    public ExplainedRate? RequestRatePerAddress { get; init; }
}

/// <param name="Burst">How many may come at once.</param>
public sealed record ExplainedRate(int PerSecond, int Burst);

/// <summary>Durations as documents write them; null for no limit.</summary>
public sealed record ExplainedTimeouts(string? Request, string? Attempt, string? Idle);
