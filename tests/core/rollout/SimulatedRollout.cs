using Gateway.Core.Rollout;

namespace Gateway.Core.Tests.Rollout;

/// <summary>One route of a simulated gateway: what becomes of a request of it, which drifts from second to second.</summary>
internal sealed record SimulatedRoute(string Name, double Weight, double ErrorRate, double MedianSeconds, double Spread)
{
    /// <summary>Of the requests that do not fail, those that are answered with 4xx.</summary>
    public double ClientErrorRate { get; init; }

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

    /// <summary>The share of 4xx of what does not fail, in place of the route's; null for no difference.</summary>
    public double? ClientErrors { get; init; }

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
        int clientErrors = Binomial(requests - failures, defect.ClientErrors ?? Math.Min(1, route.ClientErrorRate * route.Swing(second)));
        return VariantCounts.Of(requests, failures, 0, clientErrors, 0, buckets);
    }

    // Exact. Few are counted one by one: the distances between successes are geometric, of the rarer outcome. Many are looked up from the
    // likeliest number outwards, which takes as many steps as they scatter.
    private int Binomial(int n, double p)
    {
        if (p >= 1) return n;
        if (p > 0.5) return n - Binomial(n, 1 - p);
        if (p <= 0 || n <= 0) return 0;
        if (n * p > 10) return FromTheMode(n, p);
        double log = Math.Log(1 - p);
        int count = 0;
        for (double at = Math.Ceiling(Math.Log(1 - _random.NextDouble()) / log); at <= n; at += Math.Ceiling(Math.Log(1 - _random.NextDouble()) / log)) count++;
        return count;
    }

    private int FromTheMode(int n, double p)
    {
        int mode = (int)((n + 1) * p), low = mode, high = mode;
        double odds = p / (1 - p), left = _random.NextDouble();
        double above = Math.Exp(LogFactorial(n) - LogFactorial(mode) - LogFactorial(n - mode) + (mode * Math.Log(p)) + ((n - mode) * Math.Log(1 - p))), below = above;
        for (left -= above; left > 0 && above + below > 1e-18;)
        {
            above *= (n - high) / (high + 1.0) * odds;
            high++;
            if ((left -= above) <= 0) return high;
            below *= low / (n - low + 1.0) / odds;
            low--;
            if ((left -= below) <= 0) return low;
        }
        return mode;
    }

    // Stirling's series, which is exact to the last digits from ten on.
    private static double LogFactorial(int n)
    {
        if (n < 10)
        {
            double product = 1;
            for (int i = 2; i <= n; i++) product *= i;
            return Math.Log(product);
        }
        double x = n + 1.0;
        return ((x - 0.5) * Math.Log(x)) - x + (0.5 * Math.Log(2 * Math.PI)) + (1 / (12 * x)) - (1 / (360 * x * x * x)) + (1 / (1260 * Math.Pow(x, 5)));
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
