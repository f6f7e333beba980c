namespace Gateway.Core.Rollout;

/// <summary>What a candidate must not be worse in, and when enough is known of it.</summary>
public sealed record RolloutGates
{
    /// <summary>Null: errors are not judged.</summary>
    public ErrorRateGate? ErrorRate { get; init; } = new();

    /// <summary>Null: latency is not judged.</summary>
    public LatencyGate? Latency { get; init; } = new();

    /// <summary>Null: answers with 4xx are not judged.</summary>
    public ClientErrorGate? ClientErrors { get; init; } = new();

    /// <summary>Requests that the candidate must have served before it may be promoted. It may be returned before.</summary>
    public long MinSamples { get; init; } = 200;
}

/// <summary>The candidate must not fail more often than the live snapshot beside it.</summary>
public sealed record ErrorRateGate
{
    /// <summary>
    /// The chance that a candidate that is no worse is returned all the same, in a whole rollout and over all routes. Over 0, below 1. The
    /// defaults of all gates are one in a hundred together; this one has most of it, for it is the one that small differences are to be found by.
    /// </summary>
    public double Alpha { get; init; } = 0.009;
}

/// <summary>The candidate must not be slower than the live snapshot beside it by more than a factor, at its median, 90th or 99th percentile.</summary>
public sealed record LatencyGate
{
    /// <inheritdoc cref="ErrorRateGate.Alpha"/>
    public double Alpha { get; init; } = 0.0005;

    /// <summary>Up to it a candidate may be slower. At least 1; rounded up to a power of 1.149.</summary>
    public double Factor { get; init; } = 1.5;

    /// <summary>Up to so many seconds it may be slower whatever the factor is: a millisecond more is no regression anybody notices.</summary>
    public double Floor { get; init; } = 0.001;

    /// <summary>
    /// The candidate's first requests, of each route, are not judged: connections, caches and estimates of a few requests are cold. They are
    /// looked at again only in so far as the next are as slow.
    /// </summary>
    public long WarmUp { get; init; } = 20;
}

/// <summary>The candidate must not answer, or refuse, a very different share of its requests with 4xx than the live snapshot beside it: neither more nor fewer.</summary>
public sealed record ClientErrorGate
{
    /// <inheritdoc cref="ErrorRateGate.Alpha"/>
    public double Alpha { get; init; } = 0.0005;

    /// <summary>By how much the shares may differ, from 0 to 1.</summary>
    public double MaxDifference { get; init; } = 0.2;
}
