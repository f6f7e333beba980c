namespace Gateway.Config;

[Doc("How it is found out whether endpoints are well.")]
public sealed record HealthConfig
{
    internal static readonly HealthConfig Default = new();

    [Doc("What requests tell: an endpoint that does not answer them is left alone for a while (nginx's max_fails and fail_timeout).")]
    public PassiveHealthConfig Passive { get; init; } = PassiveHealthConfig.Default;
}

[Doc("Leaves an endpoint alone that does not answer: it cannot be connected to, resets, does not speak HTTP, or takes too long. All of a pool may be out; then the panic threshold decides.")]
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
