using System.Globalization;
using System.Text;

namespace Gateway.Bench.Load;

/// <summary>
/// The gateway with one event loop and with two, on all cores, which origin and load tool share. What it can say about more cores is how the
/// cost of a request changes when a second loop serves beside the first: what loops share shows as more CPU for the same request.
/// </summary>
internal static class Scaling
{
    private static readonly string[] Scenarios = ["64 connections", "1000 connections"];

    public static async Task<int> RunAsync(Arguments arguments)
    {
        int seconds = arguments.Number("--seconds", 5), rounds = arguments.Number("--rounds", 3);
        string cores = $"0-{Environment.ProcessorCount - 1}";
        using Stage? stage = await Stage.SetAsync(everywhere: true);
        if (stage is null) return 1;
        var rows = new List<Row>();
        foreach (Scenario scenario in Scenario.All.Where(s => Scenarios.Contains(s.Name)))
        {
            for (int round = 1; round <= rounds; round++)
            {
                foreach (int loops in (int[])[1, 2])
                {
                    // They share ports, so one at a time, warmed up each time.
                    using Contestant gateway = stage.Contestants.Gateway(loops == 1 ? "1 loop" : $"{loops} loops", cores, $"--loops {loops}");
                    await gateway.StartAsync();
                    await Steady.WarmUpAsync(scenario, gateway, loadCore: null);
                    rows.Add(await Measurement.RunAsync(scenario, gateway, round, seconds, loadCore: null));
                    Console.Error.WriteLine($"{rows[^1].Scenario,-20} {rows[^1].Contestant,-8} {rows[^1].CpuMicros,6:F1} us/req {rows[^1].PerSecond,8:F0}/s");
                }
            }
        }
        arguments.Publish(Write(rows, seconds, rounds));
        return 0;
    }

    private static string Write(IReadOnlyList<Row> rows, int seconds, int rounds)
    {
        var text = new StringBuilder();
        text.AppendLine("# One event loop and two").AppendLine();
        text.AppendLine($"{rounds} rounds of {seconds} s, alternating; nothing pinned: gateway, origin (nginx, one process) and wrk (one thread) share all cores. Medians.").AppendLine();
        text.AppendLine(Report.Machine()).AppendLine();
        text.AppendLine("| scenario | loops | CPU us per request (user/sys) | requests per second | p99 ms |").AppendLine("|---|---|---|---|---|");
        foreach (IGrouping<(string Scenario, string Contestant), Row> group in rows.GroupBy(static r => (r.Scenario, r.Contestant)))
        {
            double Of(Func<Row, double> figure) => Report.Median(group.Select(figure));
            text.AppendLine(string.Create(CultureInfo.InvariantCulture,
                $"| {group.Key.Scenario} | {group.Key.Contestant} | {Of(static r => r.CpuMicros):F1} ({Of(static r => r.UserMicros):F1}/{Of(static r => r.SystemMicros):F1}) | {Of(static r => r.PerSecond):F0} | {Of(static r => r.P99Ms):F2} |"));
        }
        text.AppendLine().AppendLine("""
            ## What this says about more cores, and what it does not
            With origin and load on the same cores, requests per second say how the three share them, not how far the gateway scales: a second loop
            cannot double anything here. What can be read is the cost of a request. If loops got in each other's way (cache lines that go to and fro, locks
            that are waited for), user time per request would be higher with two loops than with one; the system time also moves with how the kernel
            schedules three processes on the cores. A figure for eight or more cores needs eight or more cores.

            What the loops share on the path of a request, by reading the code:

            | shared | written per request | how |
            |---|---|---|
            | request id counter (`RequestIdSource`) | once, unless the client brings an id | one interlocked increment of one word |
            | in-flight count of the endpoint (`EndpointLoad`) | twice an attempt | interlocked, a cache line of its own per endpoint |
            | attempt counts of the endpoint (`core/outlier/AttemptCounts`) | once or twice an attempt | interlocked, per endpoint |
            | turn of `roundRobin` | once a pick | one interlocked increment per pool; `leastRequests` and `random` only read |
            | access log ring (`AccessLogQueue`) | once | one compare-and-swap of the tail; the slot is the writer's alone; read by one thread |
            | route and pool counters, requests of a snapshot, rolling windows | a few times | a block per processor, summed when read |
            | connections of an upstream | never | each loop has its own; a limit across loops only where `maxPerEndpoint` is set |
            | memory | nothing | over HTTP/1.1; what HTTP/2 and TLS allocate is allocated per thread, and a collection stops all loops |

            No lock is taken on the way. The first candidates for trouble on many cores are therefore the three single words that every request of
            every loop writes (request id, the one busy endpoint's in-flight count and attempt count) and the tail of the log's ring: some five
            transfers of a cache line per request, which at 50 to 100 ns each between distant cores is as much as one system call.
            """);
        Report.WriteRaw(text, rows);
        return text.ToString();
    }
}
