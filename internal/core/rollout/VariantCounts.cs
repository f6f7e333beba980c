namespace Gateway.Core.Rollout;

/// <summary>What became of the requests of one route that one variant served. Immutable.</summary>
/// <remarks>
/// Each request is one of: fine, <see cref="Failures"/>, <see cref="Refusals"/>, <see cref="ClientErrors"/>, <see cref="Cancelled"/>, or
/// one that found no route.
/// </remarks>
public sealed record VariantCounts
{
    public static VariantCounts Zero { get; } = new();

    /// <summary>All requests that have ended, or have become a tunnel.</summary>
    public long Requests { get; init; }

    /// <summary>Answered with 5xx, the upstream's or the gateway's own, or broken off after the head of the response through no fault of the client.</summary>
    public long Failures { get; init; }

    /// <summary>Refused by the gateway with 4xx: not let in, too much, malformed. Those without a route are not among them.</summary>
    public long Refusals { get; init; }

    /// <summary>Those of <see cref="Refusals"/> that were too many for a rate.</summary>
    public long Limited { get; init; }

    /// <summary>Answered by the upstream (or by the route itself) with 4xx.</summary>
    public long ClientErrors { get; init; }

    /// <summary>All that were answered with 4xx, those without a route apart.</summary>
    public long Rejected => Refusals + ClientErrors;

    /// <summary>Given up by the client.</summary>
    public long Cancelled { get; init; }

    /// <summary>
    /// Latencies by <see cref="LatencyBuckets"/>, from the request's arrival to the head of the response, however many attempts that took;
    /// of a request that its client gave up before, how long it had waited. Failures are not in it. Not to be changed.
    /// </summary>
    public IReadOnlyList<long> Latencies => Buckets;

    internal long[] Buckets { get; init; } = new long[LatencyBuckets.Count];

    /// <param name="latencies">As <see cref="Latencies"/>; must not be changed afterwards.</param>
    public static VariantCounts Of(long requests, long failures, long refusals, long clientErrors, long cancelled, long[] latencies)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(latencies.Length, LatencyBuckets.Count);
        return new VariantCounts { Requests = requests, Failures = failures, Refusals = refusals, ClientErrors = clientErrors, Cancelled = cancelled, Buckets = latencies };
    }

    /// <summary>How many latencies are counted.</summary>
    public long Timed
    {
        get
        {
            long timed = 0;
            foreach (long count in Buckets) timed += count;
            return timed;
        }
    }

    /// <summary>Seconds; 0 when nothing is counted. See <see cref="LatencyBuckets.Quantile"/>.</summary>
    public double Quantile(double quantile) => LatencyBuckets.Quantile(Buckets, quantile);

    public VariantCounts Plus(VariantCounts other) => Combine(other, 1);

    /// <summary>What has come since <paramref name="earlier"/>, a reading of the same counters.</summary>
    public VariantCounts Since(VariantCounts earlier) => Combine(earlier, -1);

    private VariantCounts Combine(VariantCounts other, int sign)
    {
        long[] buckets = new long[LatencyBuckets.Count];
        for (int i = 0; i < buckets.Length; i++) buckets[i] = Buckets[i] + (sign * other.Buckets[i]);
        return new VariantCounts
        {
            Requests = Requests + (sign * other.Requests),
            Failures = Failures + (sign * other.Failures),
            Refusals = Refusals + (sign * other.Refusals),
            Limited = Limited + (sign * other.Limited),
            ClientErrors = ClientErrors + (sign * other.ClientErrors),
            Cancelled = Cancelled + (sign * other.Cancelled),
            Buckets = buckets,
        };
    }
}
