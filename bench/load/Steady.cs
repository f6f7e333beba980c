namespace Gateway.Bench.Load;

/// <summary>
/// Loads a contestant until its cost no longer falls: .NET compiles anew what is called often, guided by what it has seen of it, so each kind
/// of load has a warm-up of its own, and HTTP/2 a longer one.
/// </summary>
internal static class Steady
{
    private const int LeastSeconds = 5;
    private const int MostSeconds = 20;
    private const double Agreement = 0.03;

    /// <summary>In runs of a second: at least five of them, and then until two in a row agree. The number of runs.</summary>
    public static async Task<int> WarmUpAsync(Scenario scenario, Contestant contestant, string? loadCore = "1")
    {
        double last = double.NaN;
        for (int run = 1; run <= MostSeconds; run++)
        {
            double now = (await Measurement.RunAsync(scenario, contestant, round: 0, seconds: 1, loadCore)).CpuMicros;
            if (run >= LeastSeconds && Math.Abs(now - last) <= Agreement * last) return run;
            last = now;
        }
        Console.Error.WriteLine($"{contestant.Name} is not steady after {MostSeconds} s of {scenario.Name}");
        return MostSeconds;
    }
}
