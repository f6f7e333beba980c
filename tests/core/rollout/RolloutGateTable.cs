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
        int runs = int.Parse(Environment.GetEnvironmentVariable("GATEWAY_ROLLOUT_RUNS") ?? "10000", CultureInfo.InvariantCulture);
        // A latency takes as long as all of a step's errors together.
        int few = Math.Max(1, runs / 20);
        Line("# How often the gates of a rollout are wrong, and how soon they are right");
        Line("");
        Line($"Simulated, {runs} rollouts a row, steps of a second, default gates, which share an alpha of 0.01 (errors 0.009, latency and client errors 0.0005 each; factor 1.5, 20 points of client errors). Repeat with `make rollout-gates`. Chance leaves a figure of 1 % uncertain by {Text(Math.Round(100 * Math.Sqrt(0.01 * 0.99 / runs), 2))} % (one standard deviation).");
        Line("");
        Line("## Candidates that are no different");
        Line("");
        Line("1, 3 or 10 routes, errors of 0 to 5 %, client errors of 0 to 80 %, share of 0.5 to 50 % that grows on the way, 50 to 400 requests a second, errors and latencies that drift by up to a factor of 2 each way.");
        Line("");
        Line("| seconds | returned | of them for errors | for latency | for client errors |");
        Line("|---:|---:|---:|---:|---:|");
        foreach (int seconds in (int[])[60, 600])
        {
            int some = Math.Min(runs, 120_000 / seconds);
            SimulatedOutcome[] outcomes = Run(some, RolloutSimulations.Equivalent, seconds, long.MaxValue);
            Line($"| {seconds} ({some} rollouts) | {Percent(outcomes.Count(static o => o.Worse is not null), some)} | {outcomes.Count(static o => o.Worse?.Gate == "errorRate")} | {outcomes.Count(static o => o.Worse?.Gate == "latency")} | {outcomes.Count(static o => o.Worse?.Gate == "clientErrors")} |");
        }
        Line("");
        Line("The hardest for each gate: routes whose errors are steady, so that nothing of alpha is lost; a candidate that is slower by exactly the factor that it may be, or has as many more or fewer client errors as it may.");
        Line("");
        Line("| candidate | requests | returned |");
        Line("|---|---:|---:|");
        foreach ((double rate, double share, int routes, long most) in ((double, double, int, long)[])
            [(0.0005, 0.05, 1, 5000), (0.005, 0.005, 1, 5000), (0.005, 0.01, 1, 5000), (0.005, 0.05, 1, 5000), (0.005, 0.05, 1, 50_000), (0.005, 0.5, 1, 5000), (0.05, 0.05, 1, 5000), (0.05, 0.05, 1, 50_000), (0.05, 0.5, 1, 5000), (0.005, 0.01, 10, 5000), (0.005, 0.05, 10, 5000)])
        {
            Line($"| errors {Text(100 * rate)} %, share {Text(100 * share)} %{Routes(routes)} | {most} | {Percent(Run(runs, seed => RolloutSimulations.Doubling(seed, share, rate, 1, routes), 100_000, most).Count(static o => o.Worse is not null), runs)} |");
        }
        foreach ((double before, double after, int routes) in ((double, double, int)[])[(0.02, 0.02, 10), (0.5, 0.5, 1), (0.1, 0.3, 1), (0.6, 0.4, 1), (0.6, 0.4, 10)])
            Line($"| client errors {Text(100 * before)} % and {Text(100 * after)} %, share 0.5 %{Routes(routes)} | 1500 | {Percent(Run(runs, seed => RolloutSimulations.ClientErrors(seed, before, after, routes), 100_000, 1500).Count(static o => o.Worse?.Gate == "clientErrors"), runs)} |");
        foreach (double factor in (double[])[1, 1.2, 1.5])
            Line($"| {Text(factor)} × as slow, share 0.5 % ({few} rollouts) | 1500 | {Percent(Run(few, seed => RolloutSimulations.Slow(seed, factor), 10_000, 1500).Count(static o => o.Worse?.Gate == "latency"), few)} |");
        Line("");
        Line("## Candidates that are worse");
        Line("");
        Line("| candidate | found within | of rollouts | median requests of the candidate | 95 % within |");
        Line("|---|---:|---:|---:|---:|");
        foreach ((double rate, double share, double factor) in ((double, double, double)[])[(0.005, 0.005, 2), (0.005, 0.01, 2), (0.005, 0.02, 2), (0.005, 0.05, 2), (0.005, 0.1, 2), (0.005, 0.2, 2), (0.005, 0.05, 3), (0.005, 0.05, 10), (0.02, 0.05, 2), (0.05, 0.05, 1.5), (0.001, 0.05, 5)])
            Found($"errors {Text(100 * rate)} % × {Text(factor)}, share {Text(100 * share)} %", runs, seed => RolloutSimulations.Doubling(seed, share, rate, factor), 5000);
        foreach (double share in (double[])[0.01, 0.05])
            Found($"errors 0.5 % × 2, share {Text(100 * share)} %{Routes(10)}", runs, seed => RolloutSimulations.Doubling(seed, share, routes: 10), 5000);
        Found("errors 0.5 % × 2, share 5 %", runs, static seed => RolloutSimulations.Doubling(seed, 0.05), 20_000);
        Found("errors 0.5 % × 2, share 20 %", runs, static seed => RolloutSimulations.Doubling(seed, 0.2), 20_000);
        Found("all 5xx, 0.5 % of 2000/s, none failed before", runs, static seed => RolloutSimulations.Breakage(seed), 200);
        Found("all 5xx, 0.5 % of 2000/s, 1 % failed before", runs, static seed => RolloutSimulations.Breakage(seed, 0.01), 200);
        Found("all 5xx, 0.5 % of 2000/s, 50 routes", runs, static seed => RolloutSimulations.Breakage(seed, 0.01, routes: 50), 200);
        Found("3 × as slow, 0.5 % of 2000/s", few, static seed => RolloutSimulations.Slow(seed, 3), 500);
        Found("3 × as slow, latencies widely spread", few, static seed => RolloutSimulations.Slow(seed, 3, spread: 1.2), 500);
        Found("2 × as slow, 0.5 % of 2000/s", few, static seed => RolloutSimulations.Slow(seed, 2), 2000);
        foreach ((double before, double after, int routes) in ((double, double, int)[])[(0.02, 1, 1), (0.02, 1, 50), (0.02, 0.5, 1), (0.5, 0, 1), (0.3, 0, 1)])
            Found($"client errors {Text(100 * before)} %, then {Text(100 * after)} %, 0.5 % of 2000/s{Routes(routes)}", runs, seed => RolloutSimulations.ClientErrors(seed, before, after, routes), 2000);
        Line("");
        Line("No sound test of that alpha finds a doubling from 0.5 % within 5000 requests of the candidate much more often than this: with all that is beside them known, errors of 25 and 50 overlap; and at a share of 20 % there are only 20 000 requests beside them. So it takes 95 % up to a share of 5 %; with a larger one some more requests, which come sooner.");
        SimulatedOutcome[] late = Run(few, static seed => RolloutSimulations.Breakage(seed, 0.002, from: 300), 400, long.MaxValue);
        Line("");
        Line($"All 5xx after five good minutes, 0.5 % of 2000/s: {Percent(late.Count(static o => o.Worse is not null && o.Second > 300), few)} found then, {Text(Math.Round(late.Average(static o => o.Second - 300.0), 2))} s after it broke on average, {late.Max(static o => o.Second - 300)} s at most.");
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

    private static string Routes(int routes) => routes == 1 ? "" : $", {routes} routes";

    private static string Percent(int of, int all) => Text(Math.Round(100.0 * of / all, 2)) + " %";

    private static string Text(double number) => number.ToString(CultureInfo.InvariantCulture);

    private void Line(string line) => _text.Append(line).Append('\n');
}
