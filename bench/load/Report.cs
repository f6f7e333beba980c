using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Gateway.Bench.Load;

/// <summary>The result file: medians with the ratio to the better peer, memory, start, then every raw row.</summary>
internal static class Report
{
    private static readonly string[] Peers = ["nginx", "haproxy"];

    public static string Write(
        IReadOnlyList<Row> rows, IReadOnlyList<Contestant> contestants, IReadOnlyList<IdleRow> idle, IReadOnlyList<StartRow> starts, int seconds, int rounds)
    {
        var text = new StringBuilder();
        text.AppendLine("# Side by side: CPU per request").AppendLine();
        text.AppendLine($"{rounds} rounds of {seconds} s per scenario and contestant, interleaved in one run, each after a warm-up with that very load until two seconds in a row agree within 3 %; " +
            "proxy pinned to one core, origin (nginx) and load tool to the other. Medians. CPU is user + system time of the proxy's process tree per request; the ratio is ours to the better of nginx and haproxy.").AppendLine();
        text.AppendLine("**Logs**: ours runs as it does by default, with metrics, and with an access log of one JSON line per request to a file. nginx, haproxy and plain YARP have their logs off, in all rows but " +
            "\"all with an access log\": there nginx writes its combined log to a file (`buffer=64k`), and haproxy sends its HTTP log to a datagram socket that is read on the other core.").AppendLine();
        text.AppendLine(Machine());
        foreach (Contestant c in contestants.DistinctBy(static c => c.Version)) text.AppendLine($"- {c.Name}: {c.Version}");
        if (rows.Count > 0) WriteMedians(text, rows);
        if (idle.Count > 0) WriteIdle(text, idle);
        if (starts.Count > 0) WriteStarts(text, starts);
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

    private static void WriteMedians(StringBuilder text, IReadOnlyList<Row> rows)
    {
        text.AppendLine().AppendLine("| scenario | gateway us (user/sys) | nginx us | haproxy us | plain YARP us | ratio | gateway p99 ms | nginx | haproxy | gateway B/request | gateway RSS MB |");
        text.AppendLine("|---|---|---|---|---|---|---|---|---|---|---|");
        foreach (IGrouping<string, Row> scenario in rows.GroupBy(r => r.Scenario))
        {
            // A peer with its log on stands in its own column; the scenario's name says that it is.
            double Of(string name, Func<Row, double> figure) => Median(scenario.Where(r => r.Contestant == name || r.Contestant == name + ", log").Select(figure));
            double ours = Of("gateway", r => r.CpuMicros), better = Peers.Min(p => Of(p, r => r.CpuMicros));
            text.AppendLine(string.Create(CultureInfo.InvariantCulture,
                $"| {scenario.Key} | {ours:F1} ({Of("gateway", r => r.UserMicros):F1}/{Of("gateway", r => r.SystemMicros):F1}) | {Of("nginx", r => r.CpuMicros):F1} | {Of("haproxy", r => r.CpuMicros):F1} | {Figure(Of("plain YARP", r => r.CpuMicros), "F1")} | **{ours / better:F2}** | {Of("gateway", r => r.P99Ms):F2} | {Of("nginx", r => r.P99Ms):F2} | {Of("haproxy", r => r.P99Ms):F2} | {Of("gateway", r => r.AllocatedBytes):F0} | {Of("gateway", r => r.ResidentMb):F0} |"));
        }
        text.AppendLine().AppendLine("B/request: managed bytes allocated by the whole process over the measured time, divided by the requests in it; the scrapes that measure it, the log's thread and timers included.");
    }

    private static void WriteIdle(StringBuilder text, IReadOnlyList<IdleRow> rows)
    {
        text.AppendLine().AppendLine("## Idle connections").AppendLine();
        text.AppendLine($"Growth of a fresh process by {IdleMemory.Connections} keep-alive connections that have each had one request and are all open, per connection.").AppendLine();
        text.AppendLine("| contestant | RSS before MB | with them MB | KB per connection |").AppendLine("|---|---|---|---|");
        foreach (IdleRow r in rows) text.AppendLine(string.Create(CultureInfo.InvariantCulture, $"| {r.Contestant} | {r.BaseMb:F1} | {r.WithMb:F1} | {r.KilobytesPerConnection:F1} |"));
    }

    private static void WriteStarts(StringBuilder text, IReadOnlyList<StartRow> rows)
    {
        text.AppendLine().AppendLine("## Start of the gateway").AppendLine();
        text.AppendLine("From the start of the process, on one core, to the end of the first response that came through it; resident memory two seconds later.").AppendLine();
        text.AppendLine("| round | first answer ms | idle RSS MB |").AppendLine("|---|---|---|");
        foreach (StartRow r in rows) text.AppendLine(string.Create(CultureInfo.InvariantCulture, $"| {r.Round} | {r.FirstAnswerMs:F0} | {r.IdleMb:F0} |"));
        text.AppendLine(string.Create(CultureInfo.InvariantCulture, $"| median | **{Median(rows.Select(static r => r.FirstAnswerMs)):F0}** | **{Median(rows.Select(static r => r.IdleMb)):F0}** |"));
    }

    /// <summary>Nothing where there is no figure.</summary>
    private static string Figure(double value, string format) => double.IsNaN(value) ? "" : value.ToString(format, CultureInfo.InvariantCulture);

    private static string CpuModel() =>
        File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(": ")[1] ?? "unknown CPU";
}
