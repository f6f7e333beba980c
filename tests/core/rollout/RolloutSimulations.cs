namespace Gateway.Core.Tests.Rollout;

/// <summary>The simulations that the tests and the table of bench/results run.</summary>
internal static class RolloutSimulations
{
    /// <summary>A rollout of a candidate that is no different: one to ten routes, errors of 0 to 5 %, client errors of 0 to 80 %, shares of 0.5 to 50 %, everything drifts.</summary>
    public static SimulatedRollout Equivalent(int seed)
    {
        Random random = new(seed * 7919);
        SimulatedRoute[] routes =
        [
            .. Enumerable.Range(0, random.Next(3) switch { 0 => 1, 1 => 3, _ => 10 }).Select(i => new SimulatedRoute(
                $"r{i}", 0.1 + random.NextDouble(), random.Next(4) == 0 ? 0 : 0.05 * Math.Pow(random.NextDouble(), 2), 0.001 * Math.Pow(300, random.NextDouble()), 0.1 + random.NextDouble())
            {
                Drift = random.NextDouble(),
                ClientErrorRate = random.Next(2) == 0 ? 0.02 * random.NextDouble() : 0.8 * random.NextDouble(),
                Period = 5 + (100 * random.NextDouble()),
                Phase = 6 * random.NextDouble(),
            }),
        ];
        double from = 0.005 * Math.Pow(100, random.NextDouble()), to = Math.Min(0.5, from * (1 + (9 * random.NextDouble())));
        return new SimulatedRollout(seed, routes, 50 * Math.Pow(8, random.NextDouble()), second => second < 30 ? from : to);
    }

    /// <summary>Errors of 0.5 % that the candidate makes 1 %, on all routes alike; a hundred of its requests a second.</summary>
    public static SimulatedRollout Doubling(int seed, double share = 0.01, double rate = 0.005, double factor = 2, int routes = 1) =>
        new(seed, [.. Enumerable.Range(0, routes).Select(i => new SimulatedRoute($"r{i}", 1, rate, 0.01, 0.5))], 100 / share, _ => share) { Defect = new Defect(factor), WithLatencies = false };

    /// <summary>A candidate with another share of 4xx, at 0.5 % of 2000 requests a second.</summary>
    public static SimulatedRollout ClientErrors(int seed, double before, double after, int routes = 1, double share = 0.005) =>
        new(seed, [.. Enumerable.Range(0, routes).Select(i => new SimulatedRoute($"r{i}", 1, 0.002, 0.01, 0.5) { ClientErrorRate = before })], 2000, _ => share)
        {
            Defect = Defect.None with { ClientErrors = after },
            WithLatencies = false,
        };

    /// <summary>A candidate that answers every request with 5xx, at 0.5 % of 2000 requests a second.</summary>
    public static SimulatedRollout Breakage(int seed, double rate = 0, int from = 0, int routes = 1) =>
        new(seed, [.. Enumerable.Range(0, routes).Select(i => new SimulatedRoute($"r{i}", 1, rate, 0.01, 0.5))], 2000, static _ => 0.005)
        {
            Defect = Defect.Broken with { From = from },
            WithLatencies = false,
        };

    /// <summary>A candidate that is slower by a factor, at 0.5 % of 2000 requests a second.</summary>
    public static SimulatedRollout Slow(int seed, double factor, double spread = 0.5, double share = 0.005, double rate = 0.002) =>
        new(seed, [new SimulatedRoute("shop", 1, rate, 0.01, spread)], 2000, _ => share) { Defect = new Defect(1, factor) };
}
