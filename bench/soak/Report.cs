using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Gateway.Bench.Soak;

/// <summary>The table that is committed: what was done, what came of it, and the process over time.</summary>
internal static class Report
{
    public static string Write(SoakResult result)
    {
        var text = new StringBuilder();
        void Line(FormattableString line) => text.AppendLine(line.ToString(CultureInfo.InvariantCulture));
        void Text(string line = "") => text.AppendLine(line);

        Text("# Soak");
        Text();
        Line($"{result.Duration.TotalSeconds:0} s of mixed load at about {result.Rate} actions per second against the built gateway with its defaults and an access log to a file, {result.Swaps} configurations applied over the admin API, one each second. ");
        Text("Every swap adds a route and takes one away, every second one changes the endpoints of the pool that the good traffic goes to. An action is a request, of a WebSocket a message and its echo, of gRPC a call of five.");
        Text();
        Line($"Machine: {Environment.ProcessorCount} cores, {RuntimeInformation.OSDescription}, {RuntimeInformation.FrameworkDescription}. Clients, origins and gateway share them, and other work ran beside.");
        Text();
        Line($"**{(result.Violations.Count == 0 ? "Passed" : "FAILED")}**: {result.Tally.Total} actions, {result.Tally.Failures} unexpected outcomes.");
        foreach (string violation in result.Violations) Line($"- {violation}");

        Text();
        Text("## The process");
        Text();
        Text("Before and after: nothing but a listener and the admin API. Before, after five seconds of the same load.");
        Text();
        Text("| moment | actions | resident MB | managed heap MB | descriptors | threads |");
        Text("|---|---|---|---|---|---|");
        foreach (Sample s in result.Table) Line($"| {s.Moment} | {s.Actions} | {s.ResidentMb:F0} | {s.HeapMb:F0} | {s.Descriptors} | {s.Threads} |");
        Text();
        Text("Flat means that a straight line through the samples of every second, from two minutes after the start, rises by no more than the tolerance over the whole time. Descriptors after the load may be 4 more than before it.");
        Text();
        if (result.Trends.Count == 0)
        {
            Text("Not judged: too short.");
        }
        else
        {
            Text("| figure | mean | rise | tolerance |");
            Text("|---|---|---|---|");
            foreach (Trend t in result.Trends) Line($"| {t.Figure} | {t.Mean:F1} | {t.Rise:F1} | {t.Tolerance:F1} |");
        }

        Text();
        Text("## What came of it");
        Text();
        Text("| clients | outcome | times |");
        Text("|---|---|---|");
        foreach (((string kind, string outcome), long times) in result.Tally.Counts.OrderBy(static c => c.Key.Kind, StringComparer.Ordinal).ThenBy(static c => c.Key.Outcome, StringComparer.Ordinal))
            Line($"| {kind} | {outcome} | {times} |");
        return text.ToString();
    }
}
