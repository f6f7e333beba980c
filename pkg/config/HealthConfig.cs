namespace Gateway.Config;

[Doc("How it is found out whether endpoints are well.")]
public sealed record HealthConfig
{
    internal static readonly HealthConfig Default = new();

    [Doc("Probes of the gateway's own. Absent: none.")]
    public ActiveHealthConfig? Active { get; init; }

    [Doc("What requests tell: an endpoint that does not answer them is left alone for a while (nginx's max_fails and fail_timeout).")]
    public PassiveHealthConfig Passive { get; init; } = PassiveHealthConfig.Default;
}

[Doc("Probes each endpoint at its own pace, over connections of their own with the pool's protocol and TLS, once whatever the number of routes. The first probe of an endpoint decides alone. An endpoint that joins a probed pool gets no requests before; when probing begins for the whole pool, all are used until they are found unhealthy, so that there is no gap.")]
public sealed record ActiveHealthConfig
{
    /// <summary>What <see cref="Expect"/> is when it is absent.</summary>
    public static readonly IReadOnlyList<string> DefaultExpect = ["200-399"];

    [Doc("What a probe is.")]
    public HealthCheckType Type { get; init; } = HealthCheckType.Http;

    [Doc("For http: the path, with its query if it has one, of a GET. Default: /.")]
    [Example("\"/healthz\"")]
    public string? Path { get; init; }

    [Doc("For http: the Host field. Default: the endpoint's address.")]
    public string? Host { get; init; }

    [Doc("For http: the statuses that are good, each one status or two with a hyphen between them. Default: 200-399.")]
    [Example("[\"200-299\", \"404\"]")]
    public IReadOnlyList<string>? Expect { get; init; }

    [Doc("For http: what the first 64Ki of the body must contain. Default: anything.")]
    public string? Body { get; init; }

    [Doc("For grpc: the service to ask about. Default: the server as a whole.")]
    public string? Service { get; init; }

    [Doc("From the start of one probe to that of the next, a tenth more or less at random.")]
    [Range("100ms", "1h")]
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(5);

    [Doc("The time that a probe has.")]
    [Range("10ms", "5m")]
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(1);

    [Doc("Bad probes in a row after which a healthy endpoint is unhealthy.")]
    [Range("1", "1000")]
    public int UnhealthyAfter { get; init; } = 3;

    [Doc("Good probes in a row after which an unhealthy endpoint is healthy.")]
    [Range("1", "1000")]
    public int HealthyAfter { get; init; } = 2;
}

public enum HealthCheckType
{
    [Doc("A GET with an expected status.")] Http,
    [Doc("A TCP connection can be made.")] Tcp,
    [Doc("grpc.health.v1.Health/Check says SERVING.")] Grpc,
}

[Doc("Leaves an endpoint alone that does not answer: it cannot be connected to, resets, does not speak HTTP, or takes too long. Responses in a row that it cuts off within 10s of their heads count the same. All of a pool may be out; then the panic threshold decides.")]
public sealed record PassiveHealthConfig
{
    internal static readonly PassiveHealthConfig Default = new();

    [Doc("Attempts in a row without an answer after which the endpoint is out; 0: never. When it is back, the first attempt without an answer has it out again.")]
    [Range("0", "10000")]
    public int Failures { get; init; } = 3;

    [Doc("How long it is out (nginx: 10s).")]
    [Range("100ms", "1h")]
    public TimeSpan Eject { get; init; } = TimeSpan.FromSeconds(10);
}

[Doc("Leaves endpoints alone that do worse than they should (Envoy's outlier detection, with its defaults). Attempts are what is counted, retries included; a failure is an answer of 5xx, or none.")]
public sealed record OutlierConfig
{
    [Doc("Failures in a row after which an endpoint is out; 0: not looked at.")]
    [Range("0", "10000")]
    public int ConsecutiveFailures { get; init; } = 5;

    [Doc("Percent of the attempts in the window that must have failed; 0: not looked at.")]
    [Range("0", "100")]
    public int FailurePercent { get; init; } = 50;

    [Doc("Attempts in the window below which failurePercent says nothing.")]
    [Range("1", "1000000")]
    public int MinRequests { get; init; } = 20;

    [Doc("How far failurePercent looks back.")]
    [Range("1s", "10m")]
    public TimeSpan Window { get; init; } = TimeSpan.FromSeconds(30);

    [Doc("How long the first ejection lasts; the n-th in short order lasts n times as long. The count goes down by one for every 10s that the endpoint is in.")]
    [Range("100ms", "1h")]
    public TimeSpan BaseEjection { get; init; } = TimeSpan.FromSeconds(30);

    [Doc("How long an ejection lasts at most.")]
    [Range("100ms", "24h")]
    public TimeSpan MaxEjection { get; init; } = TimeSpan.FromMinutes(5);

    [Doc("Percent of the pool's endpoints that may be out at once as outliers; one always may. Endpoints that are out because they do not answer (health.passive) take up room, but are never kept in by it.")]
    [Range("1", "100")]
    public int MaxEjectedPercent { get; init; } = 10;

    [Doc("Endpoints that are too slow.")]
    public OutlierLatencyConfig Latency { get; init; } = OutlierLatencyConfig.Default;
}

[Doc("An endpoint is too slow when the 95th percentile of its latency, to the response's headers, is above a multiple of the pool's, which is the median of its endpoints'. Intervals of 10s with at least 50 answers count.")]
public sealed record OutlierLatencyConfig
{
    internal static readonly OutlierLatencyConfig Default = new();

    [Doc("The multiple; 0: not looked at.")]
    [Range("0", "1000")]
    public int Multiplier { get; init; } = 3;

    [Doc("Intervals in a row in which it must be so.")]
    [Range("1", "360")]
    public int Intervals { get; init; } = 3;
}
