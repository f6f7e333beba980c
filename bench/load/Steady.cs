namespace Gateway.Bench.Load;

/// <summary>
/// Loads a contestant until its cost no longer falls: .NET compiles anew what is called often, guided by what it has seen of it, so each kind
/// of load has a warm-up of its own, and HTTP/2 a longer one.
/// </summary>
internal static class Steady
{
    private const int LeastSeconds = 5;
    private const int MostSeconds = 25;
    private const int InARow = 3;
    private const double Agreement = 0.03;

    /// <summary>In runs of a second: at least five of them, and then until three in a row are no cheaper than those before. The number of runs.</summary>
    public static async Task<int> WarmUpAsync(Scenario scenario, Contestant contestant, string? loadCore = "1")
    {
        double least = double.MaxValue;
        int noCheaper = 0;
        for (int run = 1; run <= MostSeconds; run++)
        {
            double now = (await Measurement.RunAsync(scenario, contestant, round: 0, seconds: 1, loadCore)).CpuMicros;
            noCheaper = now < least * (1 - Agreement) ? 0 : noCheaper + 1;
            least = Math.Min(least, now);
            if (run >= LeastSeconds && noCheaper >= InARow) return run;
        }
        Console.Error.WriteLine($"{contestant.Name} is not steady after {MostSeconds} s of {scenario.Name}");
        return MostSeconds;
    }
}
