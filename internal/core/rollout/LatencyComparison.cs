namespace Gateway.Core.Rollout;

/// <summary>
/// Says whether the candidate is slower by more than a factor at one of three percentiles. A latency is made a yes or no: whether one of the
/// candidate's is above factor × Q, and one beside it above Q, where Q is the percentile of those beside it of late. As long as the candidate
/// is at most so much slower, it has no more of them, whatever Q is and however latencies drift; so <see cref="ComparisonTest"/> serves. Q
/// is taken before the step that it judges.
/// </summary>
/// <param name="alpha">For all three together.</param>
internal sealed class LatencyComparison(double alpha, LatencyGate gate)
{
    private static readonly double[] Quantiles = [0.5, 0.9, 0.99];

    // Of late: as many latencies of those beside the candidate as a 99th percentile takes to be known.
    private const double Window = 2000;
    private const double Enough = 50;

    private readonly ComparisonTest[] _tests = [new(alpha / 3), new(alpha / 3), new(alpha / 3)];
    private readonly double[] _late = new double[LatencyBuckets.Count];
    private readonly int _span = LatencyBuckets.Span(gate.Factor);
    private long _candidate;

    /// <summary>Of the test that has found it worse, or is nearest to it.</summary>
    public ComparisonTest Nearest
    {
        get
        {
            ComparisonTest nearest = _tests[0];
            foreach (ComparisonTest test in _tests)
            {
                if (test.IsWorse && !nearest.IsWorse) nearest = test;
                else if (test.IsWorse == nearest.IsWorse && test.LogEvidence > nearest.LogEvidence) nearest = test;
            }
            return nearest;
        }
    }

    public bool IsWorse => Nearest.IsWorse;

    public void Add(VariantCounts stable, VariantCounts candidate)
    {
        // As a whole step: it cannot be known which of its requests came first.
        if (_candidate >= gate.WarmUp) Judge(stable.Buckets, candidate.Buckets);
        _candidate += Math.Max(0, candidate.Timed);
        double timed = Math.Max(0, stable.Timed), kept = Math.Max(0, 1 - (timed / Window));
        for (int i = 0; i < _late.Length; i++) _late[i] = (_late[i] * kept) + Math.Max(0, stable.Buckets[i]);
    }

    private void Judge(long[] stable, long[] candidate)
    {
        double total = 0;
        foreach (double count in _late) total += count;
        if (total < Enough) return;
        int index = 0;
        double sum = _late[0];
        for (int i = 0; i < Quantiles.Length; i++)
        {
            while (index < _late.Length - 1 && sum < Quantiles[i] * total) sum += _late[++index];
            int slow = Math.Max(index + _span, LatencyBuckets.IndexOf(LatencyBuckets.UpperBound(index) + gate.Floor));
            _tests[i].Add(Table.Of(Sum(candidate, 0), Sum(candidate, slow + 1), Sum(stable, 0), Sum(stable, index + 1)));
        }
    }

    private static long Sum(long[] counts, int from)
    {
        long sum = 0;
        for (int i = from; i < counts.Length; i++) sum += Math.Max(0, counts[i]);
        return sum;
    }
}
