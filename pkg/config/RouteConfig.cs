namespace Gateway.Config;

[Doc("Which requests, and what to do with them: exactly one of pool, redirect and respond.")]
public sealed record RouteConfig
{
    [Doc("Unique name, by which logs, metrics and errors refer to the route.")]
    public required string Name { get; init; }

    [Doc("Names of the listeners the route is served on. Empty: all of them.")]
    public IReadOnlyList<string> Listeners { get; init; } = [];

    [Doc("The requests the route is for. Empty: every request.")]
    public MatchConfig Match { get; init; } = MatchConfig.AnyRequest;

    [Doc("Forward to this pool.")]
    public string? Pool { get; init; }

    [Doc("Answer with a redirect.")]
    public RedirectConfig? Redirect { get; init; }

    [Doc("Answer with a fixed response.")]
    public RespondConfig? Respond { get; init; }

    [Doc("Size of a request body in bytes, 0 for no limit, in place of the listener's limit.")]
    public ByteSize? BodyBytes { get; init; }

    [Doc("Bounds how many requests run at once, for a route to a pool. Absent: no bound.")]
    public OverloadConfig? Overload { get; init; }

    [Doc("How long things may take.")]
    public TimeoutsConfig Timeouts { get; init; } = TimeoutsConfig.Default;

    [Doc("When a request is sent once more because an attempt failed.")]
    public RetryConfig Retry { get; init; } = RetryConfig.Default;

    [Doc("Send a request that is slow to be answered to a second endpoint too, and take the first good response. Absent: never.")]
    public HedgeConfig? Hedge { get; init; }

    [Doc("Requests whose outcome must be as said before this document is applied; a rollback does not ask. They may be about other routes than the one they stand in.")]
    public IReadOnlyList<ExpectConfig> Expect { get; init; } = [];

    [Doc("A document of higher priority may have another route of this name.")]
    public bool Overridable { get; init; }
}

[Doc("All of the conditions given must hold. Precedence between routes is the Gateway API's: exact host, longer wildcard, any host; exact path, longest prefix, regular expression; method; number of headers; number of query parameters; order in the document.")]
public sealed record MatchConfig
{
    // Most routes of a large document leave most of this out, and share one.
    internal static readonly MatchConfig AnyRequest = new();

    [Doc("Host names without port, exact or with a leading \"*.\" label that stands for one or more labels. Case does not matter. Empty: any host.")]
    [Example("[\"shop.example.com\", \"*.shop.example.com\"]")]
    public IReadOnlyList<string> Hosts { get; init; } = [];

    [Doc("The path. Absent: any.")]
    public PathMatchConfig? Path { get; init; }

    [Doc("Methods, as registered (case matters). Empty: any.")]
    [Example("[\"GET\", \"POST\"]")]
    public IReadOnlyList<string> Methods { get; init; } = [];

    [Doc("Header fields that must match, all of them.")]
    public IReadOnlyList<ValueMatchConfig> Headers { get; init; } = [];

    [Doc("Query parameters that must match, all of them; compared percent-decoded.")]
    public IReadOnlyList<ValueMatchConfig> Query { get; init; } = [];
}

[Doc("Exactly one of exact, prefix and regex. Compared with the path after percent-decoding of unreserved characters and removal of dot segments; the upstream gets the path as the client sent it.")]
public sealed record PathMatchConfig
{
    [Doc("The whole path.")]
    public string? Exact { get; init; }

    [Doc("Whole leading segments: \"/api\" matches /api and /api/x, never /apifoo.")]
    public string? Prefix { get; init; }

    [Doc("A .NET regular expression searched for in the path, run without backtracking: no look-around, no back-references. Anchor it with ^ and $.")]
    public string? Regex { get; init; }
}

[Doc("A named value (header field or query parameter): exactly one of value, regex and present.")]
public sealed record ValueMatchConfig
{
    [Doc("The header field's name (case does not matter) or the query parameter's (case matters).")]
    public required string Name { get; init; }

    [Doc("One of its values is exactly this.")]
    public string? Value { get; init; }

    [Doc("One of its values matches this regular expression, run without backtracking.")]
    public string? Regex { get; init; }

    [Doc("It is there (true) or not (false).")]
    public bool? Present { get; init; }
}

[Doc("A redirect. What is not given is taken from the request; the query is kept.")]
public sealed record RedirectConfig
{
    [Doc("\"http\" or \"https\".")]
    public string? Scheme { get; init; }

    [Doc("Host of the new location.")]
    public string? Host { get; init; }

    [Doc("Port of the new location. Default: the scheme's when scheme is given, else the request's.")]
    [Range("1", "65535")]
    public int? Port { get; init; }

    [Doc("Path of the new location, in place of the whole path.")]
    public string? Path { get; init; }

    [Doc("301, 302, 303, 307 or 308 (Gateway API: 302).")]
    public int Status { get; init; } = 302;
}

[Doc("A fixed response.")]
public sealed record RespondConfig
{
    [Doc("Status code.")]
    [Range("200", "599")]
    public int Status { get; init; } = 200;

    [Doc("Body, as UTF-8.")]
    public string Body { get; init; } = "";

    [Doc("Content type of the body.")]
    public string ContentType { get; init; } = "text/plain; charset=utf-8";
}

[Doc("How long things may take; 0s for no limit.")]
public sealed record TimeoutsConfig
{
    internal static readonly TimeoutsConfig Default = new();

    [Doc("The whole request, to the last byte of the response. 504 request_timeout. Upgraded connections are exempt from the moment of the upgrade.")]
    [Range("0s", "24h")]
    public TimeSpan Request { get; init; } = TimeSpan.FromSeconds(30);

    [Doc("One attempt at an upstream, to its response headers; not counted while the client is still sending the body. 504 upstream_timeout.")]
    [Range("0s", "24h")]
    public TimeSpan Attempt { get; init; } = TimeSpan.FromSeconds(10);

    [Doc("The longest silence inside a body, in either direction, and on an upgraded connection (nginx: 60s).")]
    [Range("0s", "24h")]
    public TimeSpan Idle { get; init; } = TimeSpan.FromSeconds(60);

    [Doc("Header field in which a client says how long it will wait: a whole number of milliseconds, or a duration such as 1s500ms. It shortens the request's time, never lengthens it, and goes to the upstream less what has passed. grpc-timeout of gRPC requests is honoured without being named here.")]
    [Example("\"x-request-timeout\"")]
    public string? DeadlineHeader { get; init; }
}
