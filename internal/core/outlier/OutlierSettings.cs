namespace Gateway.Core.Outlier;

/// <summary>When an endpoint that does not answer is left alone for a while (nginx's max_fails and fail_timeout).</summary>
/// <param name="Failures">Attempts in a row without an answer; at least 1.</param>
/// <param name="Eject">How long.</param>
public sealed record PassiveSettings(int Failures, TimeSpan Eject);

/// <summary>When an endpoint that does worse than it should is left alone for a while (Envoy's outlier detection).</summary>
public sealed record OutlierSettings
{
    /// <summary>Failures in a row; 0: not looked at.</summary>
    public int ConsecutiveFailures { get; init; } = 5;

    /// <summary>Percent of the attempts in <see cref="Window"/> that failed; 0: not looked at.</summary>
    public int FailurePercent { get; init; } = 50;

    /// <summary>Attempts in <see cref="Window"/> below which <see cref="FailurePercent"/> says nothing.</summary>
    public int MinRequests { get; init; } = 20;

    public TimeSpan Window { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The first ejection's length; the n-th in short order lasts n times as long, up to <see cref="MaxEjection"/>.</summary>
    public TimeSpan BaseEjection { get; init; } = TimeSpan.FromSeconds(30);

    public TimeSpan MaxEjection { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Percent of the pool that may be out at once, 1 to 100; one endpoint always may.</summary>
    public int MaxEjectedPercent { get; init; } = 10;

    /// <summary>How many times the pool's an endpoint's 95th percentile must be to be too slow; 0: not looked at.</summary>
    public int LatencyMultiplier { get; init; } = 3;

    /// <summary>Intervals in a row in which it must be so.</summary>
    public int LatencyIntervals { get; init; } = 3;

    /// <summary>Also how often the number of past ejections goes down by one while an endpoint is in (Envoy's interval).</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Answers in an interval below which the percentile says nothing.</summary>
    public int LatencyMinSamples { get; init; } = 50;
}
