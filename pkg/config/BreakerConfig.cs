namespace Gateway.Config;

[Doc("A circuit breaker. Failures are responses of 5xx, connections that could not be had, resets and timeouts; a client that leaves is none.")]
public sealed record BreakerConfig
{
    [Doc("Percent of the window's attempts that must have failed to open it (Polly: 10, Hystrix: 50).")]
    [Range("1", "100")]
    public int FailurePercent { get; init; } = 50;

    [Doc("Attempts in the window below which it never opens (Hystrix: 20).")]
    [Range("1", "1000000")]
    public int MinRequests { get; init; } = 20;

    [Doc("How far back attempts count, in ten steps (Hystrix: 10s).")]
    [Range("1s", "1h")]
    public TimeSpan Window { get; init; } = TimeSpan.FromSeconds(10);

    [Doc("How long it refuses everything before the first probes; doubles each time a probe fails.")]
    [Range("100ms", "1h")]
    public TimeSpan Open { get; init; } = TimeSpan.FromSeconds(2);

    [Doc("The longest it refuses everything.")]
    [Range("100ms", "1h")]
    public TimeSpan MaxOpen { get; init; } = TimeSpan.FromSeconds(60);

    [Doc("Requests let through to probe the pool, all of which must succeed to close it.")]
    [Range("1", "1000")]
    public int Probes { get; init; } = 5;
}
