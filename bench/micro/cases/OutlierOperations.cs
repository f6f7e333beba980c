using Gateway.Core.Outlier;

namespace Gateway.Bench.Micro.Cases;

/// <summary>What an attempt's end costs the request that made it.</summary>
public static class OutlierOperations
{
    public static IEnumerable<(string Name, int Times, Action Run)> All()
    {
        var counts = new AttemptCounts { Latencies = new LatencyHistogram() };
        yield return ("Attempt.Success", 10_000, () => counts.RecordSuccess(1_234_567));
        yield return ("Attempt.Error", 10_000, () => counts.RecordError());
        yield return ("Attempt.Unanswered", 10_000, () => counts.RecordUnanswered(out _));
    }
}
