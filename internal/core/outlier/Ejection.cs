namespace Gateway.Core.Outlier;

/// <summary>Why an endpoint is out.</summary>
public enum EjectionReason : byte
{
    /// <summary>It is not.</summary>
    None,

    /// <summary>It does not answer (<see cref="PassiveSettings"/>).</summary>
    Unanswered,

    /// <summary>Too many failures in a row.</summary>
    ConsecutiveFailures,

    /// <summary>Too large a share of failures.</summary>
    FailurePercent,

    /// <summary>Too slow for too long.</summary>
    Latency,
}

/// <summary>What ended an ejection, or kept one from being.</summary>
public enum EjectionStep : byte
{
    Ejected,

    /// <summary>Its time was over.</summary>
    Returned,

    /// <summary>The settings or the pool's size do not allow it any more.</summary>
    Released,

    /// <summary>It would have been ejected, had the pool not as many out as may be.</summary>
    Spared,
}

/// <summary>A decision about one endpoint, with what it was based on.</summary>
/// <param name="Reason">The ejection's, also for what ends it.</param>
/// <param name="Attempts">Attempts looked at; for <see cref="EjectionReason.Latency"/> the answers of the last interval.</param>
/// <param name="Failures">Those of them that failed.</param>
/// <param name="Latency">95th percentile of the endpoint, in the unit it was recorded in; 0 for other reasons.</param>
/// <param name="PoolLatency">What it was compared with.</param>
/// <param name="Length">How long it is out; zero unless ejected.</param>
/// <param name="Ejected">Endpoints of the pool that are out, this one included if it is.</param>
/// <param name="Allowed">How many outliers may be out at once.</param>
public readonly record struct EjectionDecision(
    OutlierMember Member, EjectionStep Step, EjectionReason Reason,
    long Attempts, long Failures, long Latency, long PoolLatency, TimeSpan Length, int Ejected, int Allowed);
