using Gateway.Core.Rollout;

namespace Gateway.Core.Tests.Rollout;

/// <summary>One route of a simulated gateway: what becomes of a request of it, which drifts from second to second.</summary>
internal sealed record SimulatedRoute(string Name, double Weight, double ErrorRate, double MedianSeconds, double Spread)
{
    /// <summary>How much errors and latencies swing: 1 for up to twice and half.</summary>
    public double Drift { get; init; }

    /// <summary>Seconds of one swing.</summary>
    public double Period { get; init; } = 60;

    public double Phase { get; init; }

    public double Swing(int second) => Math.Pow(2, Drift * Math.Sin((2 * Math.PI * second / Period) + Phase));
}

/// <summary>How the candidate differs: factors on what the route does.</summary>
internal sealed record Defect(double Errors = 1, double Latency = 1)
{
    public static Defect None { get; } = new();

    /// <summary>Every request fails.</summary>
    public static Defect Broken { get; } = new(double.PositiveInfinity);

    /// <summary>From that second on.</summary>
    public int From { get; init; }

    /// <summary>On that route alone; null for all.</summary>
    public string? Route { get; init; }
}

/// <summary>What a judge said of a simulated rollout.</summary>
internal sealed record SimulatedOutcome(RolloutEvidence? Worse, int Second, long CandidateRequests);

/// <summary>A gateway under load that tries a candidate, second by second; the same for the same seed.</summary>
internal sealed class SimulatedRollout(int seed, IReadOnlyList<SimulatedRoute> routes, double requestsPerSecond, Func<int, double> share)
{
    private readonly Random _random = new(seed);

    public Defect Defect { get; init; } = Defect.None;

    public bool WithLatencies { get; init; } = true;

    public RolloutGates Gates { get; init; } = new();

    public SimulatedOutcome Run(int seconds, long mostCandidateRequests = long.MaxValue)
    {
        var judge = new RolloutJudge(Gates, routes.Count);
        long candidate = 0;
        for (int second = 0; second < seconds && candidate < mostCandidateRequests; second++)
        {
            List<RouteCounts> counts = [];
            VariantCounts stable = VariantCounts.Zero, canary = VariantCounts.Zero;
            double weights = routes.Sum(static r => r.Weight);
            foreach (SimulatedRoute route in routes)
            {
                int requests = Binomial((int)(2 * requestsPerSecond), route.Weight / weights / 2), drawn = Binomial(requests, share(second));
                bool isDefect = second >= Defect.From && (Defect.Route is null || Defect.Route == route.Name);
                var of = new RouteCounts(route.Name, Serve(route, requests - drawn, second, Defect.None), Serve(route, drawn, second, isDefect ? Defect : Defect.None));
                counts.Add(of);
                stable = stable.Plus(of.Stable);
                canary = canary.Plus(of.Canary);
            }
            candidate += canary.Requests;
            if (judge.Add(new RouteCounts(RouteCounts.All, stable, canary), counts).Worse is { } worse) return new SimulatedOutcome(worse, second + 1, candidate);
        }
        return new SimulatedOutcome(null, seconds, candidate);
    }

    private VariantCounts Serve(SimulatedRoute route, int requests, int second, Defect defect)
    {
        double rate = Math.Min(1, double.IsInfinity(defect.Errors) ? 1 : route.ErrorRate * route.Swing(second) * defect.Errors);
        int failures = Binomial(requests, rate);
        long[] buckets = new long[LatencyBuckets.Count];
        double median = route.MedianSeconds * route.Swing(second) * defect.Latency;
        for (int i = WithLatencies ? failures : requests; i < requests; i++) buckets[LatencyBuckets.IndexOf(median * Math.Exp(route.Spread * Normal()))]++;
        return VariantCounts.Of(requests, failures, 0, 0, 0, buckets);
    }

    // Exact: the distances between successes are geometric, of the rarer outcome.
    private int Binomial(int n, double p)
    {
        if (p >= 1) return n;
        if (p > 0.5) return n - Binomial(n, 1 - p);
        if (p <= 0) return 0;
        double log = Math.Log(1 - p);
        int count = 0;
        for (double at = Math.Ceiling(Math.Log(1 - _random.NextDouble()) / log); at <= n; at += Math.Ceiling(Math.Log(1 - _random.NextDouble()) / log)) count++;
        return count;
    }

    private double _spare = double.NaN;

    private double Normal()
    {
        if (!double.IsNaN(_spare))
        {
            double spare = _spare;
            _spare = double.NaN;
            return spare;
        }
        double radius = Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())), angle = 2 * Math.PI * _random.NextDouble();
        _spare = radius * Math.Sin(angle);
        return radius * Math.Cos(angle);
    }
}
