using System.Net;
using Gateway.Core.Router;

namespace Gateway.DataPlane.Server;

/// <summary>What to explain.</summary>
public sealed record ExplainQuery(DescribedRequest Request)
{
    /// <summary>The listener it comes in on; null for the one whose port and TLS fit the URL best.</summary>
    public string? Listener { get; init; }

    /// <summary>The address it comes from; null for one that nothing is known of.</summary>
    public IPAddress? ClientIp { get; init; }

    /// <summary>The most routes to name that were not chosen.</summary>
    public int Candidates { get; init; } = 50;
}

/// <summary>What a snapshot would do with a request, and why.</summary>
/// <param name="Version">The snapshot's.</param>
/// <param name="Listener">The listener that takes the request.</param>
/// <param name="ListenerReason">Why this one, for a person.</param>
/// <param name="Choice">Why the route is the one it is.</param>
public sealed record Explanation(string Version, string Listener, string ListenerReason, RouteExplanation Choice)
{
    /// <summary>Which snapshot serves such a request while a candidate is tried; null while none is, or not on the listener.</summary>
    public ExplainedVariant? Variant { get; init; }

    /// <summary>Null when none matches; then <see cref="Category"/> says what the client gets.</summary>
    public string? Route { get; init; }

    /// <summary>The category of the gateway's own error; null without one.</summary>
    public string? Category { get; init; }

    /// <summary>The status that the gateway answers by itself; null when the request is forwarded.</summary>
    public int? Status { get; init; }

    /// <summary>Header fields of that answer.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>The filters that the request passes, in order, to the one that answers it.</summary>
    public IReadOnlyList<ExplainedFilter> Filters { get; init; } = [];

    /// <summary>Where it is forwarded to, with every endpoint as it is now; null when it is not.</summary>
    public PoolStatus? Pool { get; init; }

    /// <summary>What the route's breaker, retry budget and concurrency stand at; null for a configuration that serves no requests.</summary>
    public RouteStatus? State { get; init; }

    public ExplainedLimits? Limits { get; init; }

    /// <summary>Whether the listener believes the forwarding headers of the client's address; null when no address was given.</summary>
    public bool? ClientIsTrustedProxy { get; init; }
}

/// <param name="Variant"><c>stable</c>, <c>canary</c>, or <c>random</c> when each such request is drawn anew; then the rest is of the live snapshot.</param>
/// <param name="Bucket">Of 10 000: the candidate serves those below its share. Null when it is drawn.</param>
/// <param name="Percent">The candidate's share.</param>
public sealed record ExplainedVariant(string Variant, int? Bucket, double Percent);

/// <param name="Effect">What it does with the request, for a person.</param>
public sealed record ExplainedFilter(string Name, string Effect);

/// <summary>Limits in bytes and counts, 0 for none; times, null for none.</summary>
public sealed record ExplainedLimits(
    int UrlBytes, int HeaderCount, int HeaderBytes, long BodyBytes, TimeSpan? RequestTimeout, TimeSpan? AttemptTimeout, TimeSpan? IdleTimeout)
{
    /// <summary>Open connections of the listener.</summary>
    public int Connections { get; init; }

    /// <summary>Open connections of one client address.</summary>
    public int ConnectionsPerAddress { get; init; }

    /// <summary>New connections of one client address; null for no limit.</summary>
    public ExplainedRate? ConnectionRatePerAddress { get; init; }

    /// <summary>Requests of one client address; null for no limit.</summary>
    public ExplainedRate? RequestRatePerAddress { get; init; }
}

/// <param name="Burst">How many may come at once.</param>
public sealed record ExplainedRate(int PerSecond, int Burst);
