using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Gateway.Bench.Load;

/// <summary>The result table: medians with the ratio to the better peer, then every raw row.</summary>
internal static class Report
{
    private static readonly string[] Peers = ["nginx", "haproxy"];

    public static string Write(IReadOnlyList<Row> rows, IReadOnlyList<Contestant> contestants, int seconds, int rounds)
    {
        var text = new StringBuilder();
        text.AppendLine("# Side by side: CPU per request").AppendLine();
        text.AppendLine($"{rounds} rounds of {seconds} s per scenario and contestant, interleaved in one run after a warm-up; proxy pinned to one core, origin (nginx) and load tool to the other. " +
            "Medians. CPU is user + system time of the proxy's process tree per request; the ratio is ours to the better of nginx and haproxy. " +
            "Ours runs with metrics and an access log to a file; nginx and haproxy with their logs off.").AppendLine();
        text.AppendLine($"Machine: {Environment.ProcessorCount} cores, {CpuModel()}, {RuntimeInformation.OSDescription}, {RuntimeInformation.FrameworkDescription}.");
        foreach (Contestant c in contestants) text.AppendLine($"- {c.Name}: {c.Version}");
        text.AppendLine().AppendLine("| scenario | gateway us (user/sys) | nginx us | haproxy us | plain YARP us | ratio | gateway p99 ms | nginx | haproxy | gateway RSS MB |");
        text.AppendLine("|---|---|---|---|---|---|---|---|---|---|");
        foreach (IGrouping<string, Row> scenario in rows.GroupBy(r => r.Scenario))
        {
            double Median(string name, Func<Row, double> figure)
            {
                double[] values = [.. scenario.Where(r => r.Contestant == name).Select(figure).Order()];
                return values.Length == 0 ? double.NaN : values[values.Length / 2];
            }
            double ours = Median("gateway", r => r.CpuMicros);
            double better = Peers.Min(p => Median(p, r => r.CpuMicros));
            text.AppendLine(string.Create(CultureInfo.InvariantCulture,
                $"| {scenario.Key} | {ours:F1} ({Median("gateway", r => r.UserMicros):F1}/{Median("gateway", r => r.SystemMicros):F1}) | {Median("nginx", r => r.CpuMicros):F1} | {Median("haproxy", r => r.CpuMicros):F1} | {Median("plain YARP", r => r.CpuMicros):F1} | **{ours / better:F2}** | {Median("gateway", r => r.P99Ms):F2} | {Median("nginx", r => r.P99Ms):F2} | {Median("haproxy", r => r.P99Ms):F2} | {Median("gateway", r => r.ResidentMb):F0} |"));
        }
        text.AppendLine().AppendLine("## Raw rows").AppendLine().AppendLine("| scenario | contestant | round | requests | seconds | per second | user us | system us | p50 ms | p99 ms | RSS MB | errors |").AppendLine("|---|---|---|---|---|---|---|---|---|---|---|---|");
        foreach (Row r in rows)
        {
            text.AppendLine(string.Create(CultureInfo.InvariantCulture,
                $"| {r.Scenario} | {r.Contestant} | {r.Round} | {r.Requests} | {r.Seconds:F2} | {r.PerSecond:F0} | {r.UserMicros:F2} | {r.SystemMicros:F2} | {r.P50Ms:F2} | {r.P99Ms:F2} | {r.ResidentMb:F0} | {r.Errors} |"));
        }
        return text.ToString();
    }

    private static string CpuModel() =>
        File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(": ")[1] ?? "unknown CPU";
}
