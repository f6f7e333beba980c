using System.Globalization;
using System.Text;
using Xunit;

namespace Gateway.Core.Tests.Rollout;

/// <summary><c>make rollout-gates</c>: many more simulations than a test has time for, as a table. GATEWAY_ROLLOUT_RUNS says how many, GATEWAY_ROLLOUT_TABLE where to.</summary>
public sealed class RolloutGateTable
{
    private readonly StringBuilder _text = new();

    [Fact]
    public async Task Table()
    {
        string? path = Environment.GetEnvironmentVariable("GATEWAY_ROLLOUT_TABLE");
        Assert.SkipWhen(path is null, "GATEWAY_ROLLOUT_TABLE says where the table goes");
        int runs = int.Parse(Environment.GetEnvironmentVariable("GATEWAY_ROLLOUT_RUNS") ?? "1000", CultureInfo.InvariantCulture);
        Line("# How often the gates of a rollout are wrong, and how soon they are right");
        Line("");
        Line($"Simulated, {runs} rollouts a row, steps of a second, default gates (alpha 0.01 each for errors and latency, factor 1.5). Repeat with `make rollout-gates`. Chance leaves a figure of 1 % uncertain by {Text(Math.Round(100 * Math.Sqrt(0.01 * 0.99 / runs), 2))} % (one standard deviation).");
        Line("");
        Line("## Candidates that are no different");
        Line("");
        Line("1, 3 or 10 routes, errors of 0 to 5 %, share of 0.5 to 50 % that grows on the way, 50 to 400 requests a second, errors and latencies that drift by up to a factor of 2 each way.");
        Line("");
        Line("| seconds | returned | of them for errors | for latency |");
        Line("|---:|---:|---:|---:|");
        foreach (int seconds in (int[])[60, 600])
        {
            SimulatedOutcome[] outcomes = Run(runs, RolloutSimulations.Equivalent, seconds, long.MaxValue);
            Line($"| {seconds} | {Percent(outcomes.Count(static o => o.Worse is not null), runs)} | {outcomes.Count(static o => o.Worse?.Gate == "errorRate")} | {outcomes.Count(static o => o.Worse?.Gate == "latency")} |");
        }
        Line("");
        Line("The hardest for each gate: one route whose errors are steady, where nothing of alpha is lost to other routes; and a candidate that is slower by exactly the factor that it may be.");
        Line("");
        Line("| candidate | requests | returned |");
        Line("|---|---:|---:|");
        foreach ((double rate, double share) in ((double, double)[])[(0.0005, 0.05), (0.005, 0.05), (0.005, 0.5), (0.05, 0.05), (0.05, 0.5)])
        {
            foreach (long most in (long[])[5000, 50_000])
                Line($"| errors {Text(100 * rate)} %, share {Text(100 * share)} % | {most} | {Percent(Run(runs, seed => RolloutSimulations.Doubling(seed, share, rate, 1), 100_000, most).Count(static o => o.Worse is not null), runs)} |");
        }
        foreach (double factor in (double[])[1, 1.2, 1.5])
            Line($"| {Text(factor)} × as slow, share 0.5 % | 1500 | {Percent(Run(runs, seed => RolloutSimulations.Slow(seed, factor), 10_000, 1500).Count(static o => o.Worse is not null), runs)} |");
        Line("");
        Line("## Candidates that are worse");
        Line("");
        Line("| candidate | found within | of rollouts | median requests of the candidate | 95 % within |");
        Line("|---|---:|---:|---:|---:|");
        foreach ((double rate, double share, double factor) in ((double, double, double)[])[(0.005, 0.01, 2), (0.005, 0.05, 2), (0.005, 0.2, 2), (0.005, 0.05, 3), (0.005, 0.05, 10), (0.02, 0.05, 2), (0.05, 0.05, 1.5), (0.001, 0.05, 5)])
            Found($"errors {Text(100 * rate)} % × {Text(factor)}, share {Text(100 * share)} %", runs, seed => RolloutSimulations.Doubling(seed, share, rate, factor), 5000);
        Found("errors 0.5 % × 2, share 5 %", runs, seed => RolloutSimulations.Doubling(seed), 20_000);
        Found("all 5xx, 0.5 % of 2000/s, none failed before", runs, static seed => RolloutSimulations.Breakage(seed), 200);
        Found("all 5xx, 0.5 % of 2000/s, 1 % failed before", runs, static seed => RolloutSimulations.Breakage(seed, 0.01), 200);
        Found("all 5xx, 0.5 % of 2000/s, 50 routes", runs, static seed => RolloutSimulations.Breakage(seed, 0.01, routes: 50), 200);
        Found("3 × as slow, 0.5 % of 2000/s", runs, static seed => RolloutSimulations.Slow(seed, 3), 500);
        Found("3 × as slow, latencies widely spread", runs, static seed => RolloutSimulations.Slow(seed, 3, spread: 1.2), 500);
        Found("2 × as slow, 0.5 % of 2000/s", runs, static seed => RolloutSimulations.Slow(seed, 2), 2000);
        SimulatedOutcome[] late = Run(runs, static seed => RolloutSimulations.Breakage(seed, 0.002, from: 300), 400, long.MaxValue);
        Line("");
        Line($"All 5xx after five good minutes, 0.5 % of 2000/s: {Percent(late.Count(static o => o.Worse is not null && o.Second > 300), runs)} found then, {Text(Math.Round(late.Average(static o => o.Second - 300.0), 2))} s after it broke on average, {late.Max(static o => o.Second - 300)} s at most.");
        await File.WriteAllTextAsync(path!, _text.ToString(), TestContext.Current.CancellationToken);
    }

    private void Found(string what, int runs, Func<int, SimulatedRollout> rollout, long most)
    {
        SimulatedOutcome[] found = [.. Run(runs, rollout, 100_000, most).Where(static o => o.Worse is not null).OrderBy(static o => o.CandidateRequests)];
        string At(double share) => found.Length > (int)(runs * share) ? found[(int)(runs * share)].CandidateRequests.ToString(CultureInfo.InvariantCulture) : "-";
        Line($"| {what} | {most} | {Percent(found.Length, runs)} | {At(0.5)} | {At(0.95)} |");
    }

    private static SimulatedOutcome[] Run(int runs, Func<int, SimulatedRollout> rollout, int seconds, long most)
    {
        var outcomes = new SimulatedOutcome[runs];
        Parallel.For(0, runs, seed => outcomes[seed] = rollout(100_000 + seed).Run(seconds, most));
        return outcomes;
    }

    private static string Percent(int of, int all) => Text(Math.Round(100.0 * of / all, 2)) + " %";

    private static string Text(double number) => number.ToString(CultureInfo.InvariantCulture);

    private void Line(string line) => _text.Append(line).Append('\n');
}
