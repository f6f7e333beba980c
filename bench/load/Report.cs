using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Gateway.Bench.Load;

/// <summary>All that a run has found out.</summary>
/// <param name="Seconds">Of each row.</param>
internal sealed record Results(
    IReadOnlyList<Scenario> Scenarios, IReadOnlyList<Row> Rows, IReadOnlyList<Contestant> Contestants, IReadOnlyList<IdleRow> Idle, IReadOnlyList<StartRow> Starts, int Seconds, int Rounds);

/// <summary>The result file: medians with the ratio to the better peer and what is asked of it, memory, start, the commands, then every raw row.</summary>
internal static class Report
{
    private static readonly string[] Peers = ["nginx", "haproxy"];

    public static string Write(Results results)
    {
        IReadOnlyList<Row> rows = results.Rows;
        var text = new StringBuilder();
        text.AppendLine("# Side by side: CPU per request").AppendLine();
        text.AppendLine($"{results.Rounds} rounds of {results.Seconds} s per scenario and contestant, interleaved in one run, each after a warm-up with that very load until three seconds in a row are no cheaper, by 3 %, than those before; " +
            "proxy pinned to one core, origin (nginx) and load tool to the other. Medians. CPU is user + system time of the proxy's process tree per request; the ratio is ours to the better of nginx and haproxy.").AppendLine();
        text.AppendLine("**Features**: ours runs with metrics, the access log, a breaker and passive health in all rows; in \"ours with all of resilience\" also with retries, a retry budget for each client, a hedge that does not fire, " +
            "a bound on concurrency, address rates, caps, ejection by latency, affinity, peakEwma, slow start and probes, each of them healthy; in \"resilience and an adaptive limit\" the bound follows the latency, and as the proxy's core is used up, it holds back " +
            "some of the 64 requests, which then wait in its queue instead of the kernel's. The others have none of that.").AppendLine();
        text.AppendLine("**Logs**: ours runs as it does by default, with metrics, and with an access log of one JSON line per request to a file. nginx, haproxy and plain YARP have their logs off, in all rows but " +
            "\"all with an access log\": there nginx writes its combined log to a file (`buffer=64k`), and haproxy sends its HTTP log to a datagram socket that is read on the other core.").AppendLine();
        text.AppendLine(Machine());
        foreach (Contestant c in results.Contestants.DistinctBy(static c => c.Version)) text.AppendLine($"- {c.Name}: {c.Version}");
        if (rows.Count > 0) WriteMedians(text, results.Scenarios, rows);
        if (results.Idle.Count > 0) WriteIdle(text, results.Idle);
        if (results.Starts.Count > 0) WriteStarts(text, results.Starts);
        if (rows.Count > 0) WriteCommands(text, results);
        if (rows.Count > 0) WriteRaw(text, rows);
        return text.ToString();
    }

    public static string Machine() => $"Machine: {Environment.ProcessorCount} cores, {CpuModel()}, {RuntimeInformation.OSDescription}, {RuntimeInformation.FrameworkDescription}.";

    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? double.NaN : sorted[sorted.Length / 2];
    }

    public static void WriteRaw(StringBuilder text, IReadOnlyList<Row> rows)
    {
        text.AppendLine().AppendLine("## Raw rows").AppendLine();
        text.AppendLine("| scenario | contestant | round | requests | seconds | per second | user us | system us | p50 ms | p99 ms | RSS MB | B/request | errors |").AppendLine("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
        foreach (Row r in rows)
        {
            text.AppendLine(string.Create(CultureInfo.InvariantCulture,
                $"| {r.Scenario} | {r.Contestant} | {r.Round} | {r.Requests} | {r.Seconds:F2} | {r.PerSecond:F0} | {r.UserMicros:F2} | {r.SystemMicros:F2} | {Figure(r.P50Ms, "F2")} | {Figure(r.P99Ms, "F2")} | {r.ResidentMb:F0} | {Figure(r.AllocatedBytes, "F0")} | {r.Errors} |"));
        }
    }

    private static void WriteMedians(StringBuilder text, IReadOnlyList<Scenario> scenarios, IReadOnlyList<Row> rows)
    {
        text.AppendLine().AppendLine("| scenario | gateway us (user/sys) | nginx us | haproxy us | plain YARP us | ratio | target | gateway p99 ms | nginx | haproxy | gateway B/request | gateway RSS MB |");
        text.AppendLine("|---|---|---|---|---|---|---|---|---|---|---|---|");
        foreach (IGrouping<string, Row> scenario in rows.GroupBy(r => r.Scenario))
        {
            // A peer with its log on stands in its own column; the scenario's name says that it is.
            double Of(string name, Func<Row, double> figure) => Median(scenario.Where(r => r.Contestant == name || r.Contestant == name + ", log").Select(figure));
            double ours = Of("gateway", r => r.CpuMicros), better = Peers.Min(p => Of(p, r => r.CpuMicros));
            string targets = string.Join("; ", scenarios.Single(s => s.Name == scenario.Key).Targets.Select(t => t.Judge(ours, name => Of(name, static r => r.CpuMicros))));
            text.AppendLine(string.Create(CultureInfo.InvariantCulture,
                $"| {scenario.Key} | {ours:F1} ({Of("gateway", r => r.UserMicros):F1}/{Of("gateway", r => r.SystemMicros):F1}) | {Of("nginx", r => r.CpuMicros):F1} | {Of("haproxy", r => r.CpuMicros):F1} | {Figure(Of("plain YARP", r => r.CpuMicros), "F1")} | **{ours / better:F2}** | {targets} | {Of("gateway", r => r.P99Ms):F2} | {Of("nginx", r => r.P99Ms):F2} | {Of("haproxy", r => r.P99Ms):F2} | {Of("gateway", r => r.AllocatedBytes):F0} | {Of("gateway", r => r.ResidentMb):F0} |"));
        }
        double allocated = Median(rows.Where(r => r.Contestant == "gateway" && r.Scenario == Scenario.All[0].Name).Select(static r => r.AllocatedBytes));
        if (!double.IsNaN(allocated))
        {
            text.AppendLine().AppendLine(string.Create(CultureInfo.InvariantCulture,
                $"Allocation, {Scenario.All[0].Name}: {allocated:F0} B; target ≤ {Target.BytesPerRequest:F0} B: {Target.Verdict(allocated <= Target.BytesPerRequest)}."));
        }
        text.AppendLine().AppendLine("B/request: managed bytes allocated by the whole process over the measured time, divided by the requests in it; the scrapes that measure it, the log's thread and timers included.");
    }

    private static void WriteIdle(StringBuilder text, IReadOnlyList<IdleRow> rows)
    {
        text.AppendLine().AppendLine("## Idle connections").AppendLine();
        text.AppendLine($"Growth of a fresh process by {IdleMemory.Connections} keep-alive connections that have each had one request and are all open, per connection.").AppendLine();
        text.AppendLine("| contestant | RSS before MB | with them MB | KB per connection |").AppendLine("|---|---|---|---|");
        foreach (IdleRow r in rows) text.AppendLine(string.Create(CultureInfo.InvariantCulture, $"| {r.Contestant} | {r.BaseMb:F1} | {r.WithMb:F1} | {r.KilobytesPerConnection:F1} |"));
        double ours = rows.Where(static r => r.Contestant == "gateway").Select(static r => r.KilobytesPerConnection).First();
        text.AppendLine().AppendLine($"Target: ≤ {Target.IdleKilobytes} KB for the gateway: {Target.Verdict(ours <= Target.IdleKilobytes)}.");
    }

    private static void WriteStarts(StringBuilder text, IReadOnlyList<StartRow> rows)
    {
        text.AppendLine().AppendLine("## Start of the gateway").AppendLine();
        text.AppendLine("From the start of the process, on both cores, to the end of the first response that came through it; resident memory two seconds later.").AppendLine();
        text.AppendLine("| round | first answer ms | idle RSS MB |").AppendLine("|---|---|---|");
        foreach (StartRow r in rows) text.AppendLine(string.Create(CultureInfo.InvariantCulture, $"| {r.Round} | {r.FirstAnswerMs:F0} | {r.IdleMb:F0} |"));
        text.AppendLine(string.Create(CultureInfo.InvariantCulture, $"| median | **{Median(rows.Select(static r => r.FirstAnswerMs)):F0}** | **{Median(rows.Select(static r => r.IdleMb)):F0}** |"));
        text.AppendLine().AppendLine($"Target: < {Target.StartMilliseconds} ms: {Target.Verdict(Median(rows.Select(static r => r.FirstAnswerMs)) < Target.StartMilliseconds)}.");
    }

    private static void WriteCommands(StringBuilder text, Results results)
    {
        text.AppendLine().AppendLine("## Commands").AppendLine();
        text.AppendLine("Of the load on its core, as for the gateway; the others have the same but for the port. wrk runs with `--latency`, h2load with `--log-file`; `grpc` is a mode of bench/load. " +
            "How each proxy is started and configured is in bench/load/Contestants.cs.").AppendLine();
        Contestant gateway = results.Contestants.First(static c => c.Name == "gateway");
        foreach (Scenario scenario in results.Scenarios) text.AppendLine($"- {scenario.Name}: `taskset -c 1 {scenario.CommandLine(gateway, results.Seconds)}`");
    }

    /// <summary>Nothing where there is no figure.</summary>
    private static string Figure(double value, string format) => double.IsNaN(value) ? "" : value.ToString(format, CultureInfo.InvariantCulture);

    private static string CpuModel() =>
        File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(": ")[1] ?? "unknown CPU";
}
