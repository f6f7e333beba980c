namespace Gateway.Core.Breaker;

/// <summary>When a breaker opens and how it comes back. Compared by value. Defaults are Polly's and Envoy's order of magnitude.</summary>
public sealed record BreakerSettings
{
    /// <summary>Share of failures, in percent of the window's requests, at which it opens. 1 to 100.</summary>
    public int FailurePercent { get; init; } = 50;

    /// <summary>Requests in the window below which it never opens. At least 1.</summary>
    public int MinRequests { get; init; } = 20;

    /// <summary>How far back requests count.</summary>
    public TimeSpan Window { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long it stays open the first time.</summary>
    public TimeSpan Open { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>The longest it stays open: the time doubles with each probe that fails.</summary>
    public TimeSpan MaxOpen { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Requests let through when it is half-open, and successes that close it. At least 1.</summary>
    public int Probes { get; init; } = 5;
}
