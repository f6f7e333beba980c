namespace Gateway.Core.Router;

/// <summary>How a route did in the choice for one request.</summary>
public enum RouteVerdict
{
    /// <summary>Chosen.</summary>
    Won,

    /// <summary>It matches the request, and so does another one that comes before it in precedence.</summary>
    Rank,

    /// <summary>Its methods do not include the request's.</summary>
    Method,

    /// <summary>A condition on a header field does not hold.</summary>
    Header,

    /// <summary>A condition on a query parameter does not hold.</summary>
    Query,

    /// <summary>Its path condition does not hold.</summary>
    Path,

    /// <summary>None of its hosts is the request's.</summary>
    Host,

    /// <summary>It would be chosen, but the path can be read in two ways that choose different routes, so nothing is.</summary>
    TwoReadings,
}

/// <summary>A route and why it won or lost.</summary>
/// <param name="Reason">For a person, without full stop.</param>
public sealed record RouteCandidate(string Name, RouteVerdict Verdict, string Reason);

/// <summary>Why a request matches the route it does.</summary>
public sealed record RouteExplanation
{
    /// <summary>The path as routes are compared with it; empty for a target that is no path.</summary>
    public required string Path { get; init; }

    /// <summary>What a generous upstream may read the path as, when that is another path; else null.</summary>
    public string? OtherReading { get; init; }

    /// <summary>Nothing matched, because the two readings choose different routes.</summary>
    public bool TwoReadings { get; init; }

    /// <summary>
    /// Routes, nearest first: those that are asked for this host and path in the order in which they are asked, then those of the host with
    /// another path, then those of other hosts. At most as many as were asked for; the chosen one is always among them.
    /// </summary>
    public required IReadOnlyList<RouteCandidate> Candidates { get; init; }

    /// <summary>Number of routes in the table.</summary>
    public required int Routes { get; init; }
}
