namespace Gateway.Bench.Load;

/// <summary>
/// Runs every scenario against every contestant in turn, several rounds, in one go on one machine: the speed of a shared machine drifts, so
/// only what ran side by side is compared, and as CPU time per request rather than throughput.
/// </summary>
internal static class SideBySide
{
    public static async Task<int> RunAsync(Arguments arguments)
    {
        int seconds = arguments.Number("--seconds", 5), rounds = arguments.Number("--rounds", 3);
        string only = arguments.Text("--only") ?? "";
        Scenario[] scenarios = [.. Scenario.All.Where(s => s.Name.Contains(only, StringComparison.OrdinalIgnoreCase))];
        using Stage? stage = await Stage.SetAsync();
        if (stage is null) return 1;
        Contestants c = stage.Contestants;
        Contestant[] all = [c.Gateway(), c.Nginx(), c.HaProxy(), c.Yarp(), c.Nginx(logs: true), c.HaProxy(logs: true)];
        var rows = new List<Row>();
        // Each with processes of its own, before those of the table are started.
        IReadOnlyList<StartRow> starts = StartUp.Name.Contains(only, StringComparison.OrdinalIgnoreCase) ? await StartUp.MeasureAsync(c) : [];
        IReadOnlyList<IdleRow> idle = IdleMemory.Name.Contains(only, StringComparison.OrdinalIgnoreCase) ? await IdleMemory.MeasureAsync([c.Gateway(), c.Nginx(), c.HaProxy(), c.Yarp()]) : [];
        try
        {
            foreach (Contestant contestant in all.Where(contestant => scenarios.Any(s => s.Takes(contestant)))) await contestant.StartAsync();
            for (int i = 0; i < scenarios.Length; i++) scenarios[i] = await scenarios[i].WithCookieAsync(all[0]);
            foreach (Scenario scenario in scenarios)
            {
                Contestant[] able = [.. all.Where(scenario.Takes)];
                long logged = stage.Logged;
                foreach (Contestant contestant in able) await Steady.WarmUpAsync(scenario, contestant);
                for (int round = 1; round <= rounds; round++)
                {
                    foreach (Contestant contestant in able)
                    {
                        Row row = await Measurement.RunAsync(scenario, contestant, round, seconds);
                        rows.Add(row);
                        Console.Error.WriteLine($"{row.Scenario,-42} {row.Contestant,-12} {row.CpuMicros,7:F1} us/req ({row.UserMicros:F1}/{row.SystemMicros:F1}) {row.PerSecond,8:F0}/s p99 {row.P99Ms:F2} ms errors {row.Errors}");
                    }
                }
                if (scenario.Logged && stage.Logged == logged) throw new InvalidOperationException("haproxy was to log each request and did not");
            }
        }
        finally
        {
            foreach (Contestant contestant in all) contestant.Dispose();
        }
        arguments.Publish(Report.Write(new Results(scenarios, rows, all, idle, starts, seconds, rounds)));
        return 0;
    }
}
