namespace Gateway.Core.Breaker;

/// <summary>What a breaker lets through. The values are those of the metric <c>gateway_breaker_state</c>.</summary>
public enum BreakerState : byte
{
    /// <summary>Everything.</summary>
    Closed = 0,

    /// <summary>As many requests as there are probes.</summary>
    HalfOpen = 1,

    /// <summary>Nothing.</summary>
    Open = 2,
}

/// <summary>How a request that a breaker let through ended.</summary>
public enum BreakerOutcome : byte
{
    /// <summary>It says nothing about the upstream: the client left, no endpoint was free. A probe's slot is free again.</summary>
    Abandoned,
    Success,
    Failure,
}

/// <summary>What a breaker stands at.</summary>
/// <param name="Requests">Attempts in the window.</param>
/// <param name="Failures">Those of them that failed.</param>
/// <param name="NextProbe">How long until a request may probe; zero unless it is open.</param>
/// <param name="ProbesOut">Probes that have not come back; 0 unless it is half-open, as the next.</param>
/// <param name="ProbesGood">Probes that succeeded.</param>
public readonly record struct BreakerReading(BreakerState State, long Requests, long Failures, TimeSpan NextProbe, int ProbesOut, int ProbesGood);

/// <summary>
/// One request let through. Given back once with <see cref="CircuitBreaker.Leave"/>, whatever became of the request; the default value is
/// of no breaker, and giving it back does nothing.
/// </summary>
public readonly struct BreakerPermit
{
    internal BreakerPermit(ulong term) => Term = term;

    /// <summary>The breaker's word when it was given: what has changed since makes it worth nothing.</summary>
    internal ulong Term { get; }

    /// <summary>It is of a breaker, and to be given back.</summary>
    public bool IsHeld => Term != 0;

    /// <summary>It is one of the few that try a half-open breaker's upstream.</summary>
    public bool IsProbe => Term != 0 && CircuitBreaker.StateOf(Term) != BreakerState.Closed;
}
