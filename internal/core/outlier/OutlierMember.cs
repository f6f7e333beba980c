namespace Gateway.Core.Outlier;

/// <summary>An endpoint as an <see cref="OutlierDetector"/> sees it. Changed by the detector alone; read it under the detector's lock.</summary>
/// <param name="counts">Where its attempts are recorded.</param>
/// <param name="name">For whoever reads the decisions.</param>
public sealed class OutlierMember(string name, AttemptCounts counts)
{
    public string Name { get; } = name;

    public AttemptCounts Counts { get; } = counts;

    /// <summary>Why it is out; <see cref="EjectionReason.None"/>: it is in.</summary>
    public EjectionReason Reason { get; internal set; }

    /// <summary>When it comes back; meaningless while it is in.</summary>
    public TimeSpan Until { get; internal set; }

    /// <summary>Outlier ejections in short order, by which the next one is longer. Goes down while it is in.</summary>
    public int Ejections { get; internal set; }

    /// <summary>When it last came back.</summary>
    internal TimeSpan InSince { get; set; }

    /// <summary>It has been said that it is bad, but the pool has too many out. Not said again until it is better.</summary>
    internal bool IsSpared { get; set; }

    internal FailureWindow Window { get; } = new();

    /// <summary>The histogram as it was at the end of the last interval; null until one is kept.</summary>
    internal uint[]? Latencies { get; set; }

    /// <summary>Intervals in a row in which it was too slow.</summary>
    internal int SlowIntervals { get; set; }

    internal bool IsOut => Reason != EjectionReason.None;

    internal bool IsOutlier => Reason > EjectionReason.Unanswered;
}
