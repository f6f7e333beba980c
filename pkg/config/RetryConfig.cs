namespace Gateway.Config;

[Doc("When a request is sent once more because an attempt failed. Only while nothing has been sent to the client; to endpoints that were not tried yet, as long as there are any.")]
public sealed record RetryConfig
{
    // Most routes leave it out, and share one.
    internal static readonly RetryConfig Default = new();

    [Doc("Attempts in all, the first included; 1 for no retry.")]
    [Range("1", "10")]
    public int Attempts { get; init; } = 2;

    [Doc("What is a reason to try again: connect (no connection could be had), reset (the connection or stream ended, or broke the protocol, before the response's head), refused (HTTP/2 REFUSED_STREAM, or a stream above GOAWAY's last), timeout (the attempt's), 5xx, gateway-error (502, 503, 504), or status codes from 400 to 599 such as \"429\".")]
    [Example("[\"connect\", \"reset\", \"refused\", \"503\"]")]
    public IReadOnlyList<string> On { get; init; } = ["connect", "reset", "refused"];

    [Doc("Which requests may be tried again though an endpoint may have begun with them. A request that certainly was not processed may be whatever its method.")]
    public RetryMethods Methods { get; init; } = RetryMethods.Idempotent;

    [Doc("How long to wait before a retry. A response's Retry-After is honoured where it asks for more, and ends the tries where it asks for more than the request has left.")]
    public BackoffConfig Backoff { get; init; } = BackoffConfig.Default;

    [Doc("Size of a request body up to which it is kept to be sent again; a larger one is not, once some of it was sent.")]
    [Range("0", "16Mi")]
    public ByteSize BufferBytes { get; init; } = new(64 * 1024);

    [Doc("The bound on all attempts of the route beyond one per request: retries, hedges, and requests sent anew because a kept connection had been closed. Probes are not among them: there is one per endpoint and health.active.interval, whatever the number of requests and routes.")]
    public RetryBudgetConfig Budget { get; init; } = RetryBudgetConfig.Default;

    [Doc("A bound of each client's own, within the route's. Absent: none.")]
    public ClientRetryConfig? PerClient { get; init; }
}

public enum RetryMethods
{
    [Doc("GET, HEAD, OPTIONS, TRACE, PUT and DELETE (RFC 9110 section 9.2.2).")] Idempotent,
    [Doc("Any method: the upstream must know a request that it has seen before.")] All,
}

[Doc("Exponential backoff with full jitter: uniform between nothing and base, 2 x base, 4 x base, ..., at most max (Envoy: 25ms, 250ms).")]
public sealed record BackoffConfig
{
    internal static readonly BackoffConfig Default = new();

    [Doc("The longest wait before the first retry.")]
    [Range("0s", "1m")]
    public TimeSpan Base { get; init; } = TimeSpan.FromMilliseconds(25);

    [Doc("The longest wait before any retry.")]
    [Range("0s", "1m")]
    public TimeSpan Max { get; init; } = TimeSpan.FromMilliseconds(250);
}

[Doc("How many attempts there may be beyond one per request (Finagle, Linkerd: 20 percent of the last 10 seconds).")]
public sealed record RetryBudgetConfig
{
    internal static readonly RetryBudgetConfig Default = new();

    [Doc("Percent of the requests of the last 10 seconds.")]
    [Range("0", "100")]
    public int Percent { get; init; } = 20;

    [Doc("What is allowed in any case, per second, counted over 10 seconds (Envoy: 3).")]
    [Range("0", "1000000")]
    public int MinPerSecond { get; init; } = 3;
}

[Doc("A bound of each client's own, so that one whose requests fail does not use up what others may retry. 4096 clients are known at a time; one beyond them has no retries.")]
public sealed record ClientRetryConfig
{
    [Doc("What tells clients apart: \"ip\", or \"header:NAME\" (requests without the field count as one client).")]
    [Example("\"header:x-user\"")]
    public required string Key { get; init; }

    [Doc("Percent of the client's requests of the last 10 seconds.")]
    [Range("0", "100")]
    public int Percent { get; init; } = 20;

    [Doc("What is allowed in any case, per second, counted over 10 seconds.")]
    [Range("0", "1000000")]
    public int MinPerSecond { get; init; } = 1;
}

[Doc("A second attempt beside the first (Dean and Barroso, The Tail at Scale), for safe methods without a body. The loser is cancelled. The second attempt is one of retry.attempts, as in Envoy, and counts against the retry budget; where both fail, what is left of retry.attempts is tried.")]
public sealed record HedgeConfig
{
    [Doc("How long the first endpoint has to answer by itself: \"p95\" for the 95th percentile of the route's latest responses, or a duration.")]
    [Example("\"50ms\"")]
    public string After { get; init; } = "p95";

    [Doc("Attempts beside the first.")]
    [Range("1", "1")]
    public int Max { get; init; } = 1;
}
