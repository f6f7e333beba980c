using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Gateway.Bench.Load;

/// <summary>One run of one scenario against one contestant.</summary>
/// <param name="AllocatedBytes">By a request, on the managed heap; NaN for who does not tell.</param>
internal sealed record Row(string Scenario, string Contestant, int Round, long Requests, double Seconds, double UserMicros, double SystemMicros, double P50Ms, double P99Ms, double ResidentMb, double AllocatedBytes, long Errors)
{
    public double CpuMicros => UserMicros + SystemMicros;
    public double PerSecond => Requests / Seconds;
}

internal static partial class Measurement
{
    /// <param name="loadCore">Where the load tool runs, as taskset takes it; null for anywhere.</param>
    public static async Task<Row> RunAsync(Scenario scenario, Contestant contestant, int round, int seconds, string? loadCore = "1")
    {
        string times = Path.GetTempFileName();
        string command = scenario.CommandLine(contestant, seconds) + scenario.Tool switch { "wrk" => " --latency", "h2load" => $" --log-file={times}", _ => "" };
        if (scenario.Tool == Scenario.OwnTool) command = $"{Environment.ProcessPath} {command}";
        double allocated = await contestant.AllocatedAsync();
        (double user, double system, _) = ProcessTree.Read(contestant.Process.Id);
        long started = Stopwatch.GetTimestamp();
        using Process tool = ProcessTree.Start(command, "", loadCore);
        string output = await tool.StandardOutput.ReadToEndAsync() + await tool.StandardError.ReadToEndAsync();
        await tool.WaitForExitAsync();
        double elapsed = Stopwatch.GetElapsedTime(started).TotalSeconds;
        (double userAfter, double systemAfter, long resident) = ProcessTree.Read(contestant.Process.Id);
        allocated = await contestant.AllocatedAsync() - allocated;
        (long requests, long errors, double p50, double p99) = scenario.Tool switch
        {
            "wrk" => Wrk(output),
            "h2load" => H2Load(output, times),
            _ => Grpc(output),
        };
        File.Delete(times);
        double n = Math.Max(requests, 1);
        return new Row(scenario.Name, contestant.Name, round, requests, elapsed, (userAfter - user) * 1e6 / n, (systemAfter - system) * 1e6 / n, p50, p99, resident / 1048576.0, allocated / n, errors);
    }

    private static (long, long, double, double) Wrk(string output)
    {
        Match total = Regex.Match(output, @"(\d+) requests in");
        Match bad = Regex.Match(output, @"Non-2xx or 3xx responses: (\d+)");
        Match sockets = Regex.Match(output, @"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)");
        long errors = bad.Success ? long.Parse(bad.Groups[1].Value, CultureInfo.InvariantCulture) : 0;
        if (sockets.Success) errors += Enumerable.Range(1, 4).Sum(i => long.Parse(sockets.Groups[i].Value, CultureInfo.InvariantCulture));
        return (total.Success ? long.Parse(total.Groups[1].Value, CultureInfo.InvariantCulture) : 0, errors, Milliseconds(output, @"50%\s+([\d.]+)(us|ms|s)"), Milliseconds(output, @"99%\s+([\d.]+)(us|ms|s)"));
    }

    private static (long, long, double, double) H2Load(string output, string times)
    {
        Match done = Regex.Match(output, @"(\d+) succeeded, (\d+) failed, (\d+) errored");
        if (!done.Success) return (0, 0, double.NaN, double.NaN);
        // Its summary has no percentiles; its log has a line for each request: start, status, microseconds.
        double[] took = [.. File.ReadLines(times).Select(static l => double.Parse(l[(l.LastIndexOf('\t') + 1)..], CultureInfo.InvariantCulture) / 1000).Order()];
        double Percentile(double share) => took.Length == 0 ? double.NaN : took[(int)((took.Length - 1) * share)];
        return (long.Parse(done.Groups[1].Value, CultureInfo.InvariantCulture), long.Parse(done.Groups[2].Value, CultureInfo.InvariantCulture) + long.Parse(done.Groups[3].Value, CultureInfo.InvariantCulture),
            Percentile(0.5), Percentile(0.99));
    }

    private static (long, long, double, double) Grpc(string output)
    {
        Match done = Regex.Match(output, @"(\d+) messages, (\d+) errors, p50 ([\d.]+) ms, p99 ([\d.]+) ms");
        if (!done.Success) throw new InvalidOperationException(output);
        double Of(int group) => double.Parse(done.Groups[group].Value, CultureInfo.InvariantCulture);
        return ((long)Of(1), (long)Of(2), Of(3), Of(4));
    }

    private static double Milliseconds(string output, string pattern)
    {
        Match match = Regex.Match(output, pattern);
        if (!match.Success) return double.NaN;
        double value = double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);
        return match.Groups[2].Value switch { "us" => value / 1000, "s" => value * 1000, _ => value };
    }
}
