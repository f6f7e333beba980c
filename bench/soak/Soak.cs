using System.Diagnostics;
using System.Net.Sockets;
using System.Net.WebSockets;
using Gateway.TestKit;

namespace Gateway.Bench.Soak;

/// <summary>What a soak has shown.</summary>
internal sealed record SoakResult(TimeSpan Duration, int Rate, Tally Tally, int Swaps, IReadOnlyList<Sample> Table, IReadOnlyList<Trend> Trends, IReadOnlyList<string> Violations);

/// <summary>
/// The built gateway under mixed load, with faulty origins and another configuration every second.
/// 1. a short load, then nothing: descriptors at rest   2. the load, sampled every second   3. nothing again: they must have come back.
/// </summary>
internal static class Soak
{
    // By then the code is compiled, pools are filled, and the heap has found its size.
    private static readonly TimeSpan WarmUp = TimeSpan.FromMinutes(2);

    /// <summary>A line through less than this says more about the last collection than about a leak.</summary>
    private static readonly TimeSpan ShortestTrend = TimeSpan.FromMinutes(2);

    private static readonly TimeSpan Breath = TimeSpan.FromSeconds(5);

    /// <summary>What may be open at the end beyond the beginning: something that .NET opens once and late, but no connection that is left each minute.</summary>
    private const int DescriptorTolerance = 4;

    public static async Task<SoakResult> RunAsync(TimeSpan duration, int rate)
    {
        using var folder = new TempFolder();
        string accessLog = folder["access.log"];
        await using SoakSite site = await SoakSite.StartAsync(folder);
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(SoakSite.Bare(accessLog), new GatewayProcessOptions { Folder = folder });
        var table = new List<Sample>();
        var samples = new List<Sample>();
        var violations = new List<string>();

        var breath = new Tally();
        _ = await LoadAsync(site, gateway, breath, Breath, rate, accessLog, static _ => Task.CompletedTask);
        int before = await RestAsync(gateway, accessLog);
        table.Add(await Sample.TakeAsync("before", TimeSpan.Zero, 0, gateway));

        var tally = new Tally();
        int minutes = 0;
        int swaps = await LoadAsync(site, gateway, tally, duration, rate, accessLog, async at =>
        {
            Sample sample = await Sample.TakeAsync($"{at.TotalMinutes:0} min", at, tally.Total, gateway);
            samples.Add(sample);
            if (at.TotalMinutes < minutes + 1) return;
            minutes++;
            table.Add(sample);
        });
        if (samples.Count > 0 && samples[^1] != table[^1]) table.Add(samples[^1] with { Moment = "end of the load" });
        int after = await RestAsync(gateway, accessLog, before + DescriptorTolerance);
        table.Add(await Sample.TakeAsync("after", duration, tally.Total, gateway));

        if (tally.Failures + breath.Failures > 0) violations.Add($"{tally.Failures + breath.Failures} unexpected outcomes: {string.Join("; ", breath.Examples.Concat(tally.Examples))}");
        if (after > before + DescriptorTolerance) violations.Add($"{after} descriptors after the load, {before} before it");
        List<Trend> trends = Trends([.. samples.Where(static s => s.At >= WarmUp)]);
        violations.AddRange(trends.Where(static t => !t.IsFlat).Select(static t => $"{t.Figure} rose by {t.Rise:F1}, which is more than {t.Tolerance:F1}"));
        violations.AddRange(await TroublesAsync(gateway));
        return new SoakResult(duration, rate, tally, swaps, table, trends, violations);
    }

    private static List<Trend> Trends(IReadOnlyList<Sample> samples)
    {
        if (samples.Count < 2 || samples[^1].At - samples[0].At < ShortestTrend) return [];
        // Memory: a collector without a limit lets the heap swing by more than a tenth, but not in one direction.
        return
        [
            Trend.Of("resident memory in MB", samples, static s => s.ResidentMb, Math.Max(16, 0.1 * samples.Average(static s => s.ResidentMb))),
            Trend.Of("descriptors", samples, static s => s.Descriptors, Math.Max(8, 0.1 * samples.Average(static s => s.Descriptors))),
            Trend.Of("threads", samples, static s => s.Threads, 3),
        ];
    }

    /// <summary>What the gateway itself has to say: its log, and counters of what must not happen.</summary>
    private static async Task<List<string>> TroublesAsync(GatewayProcess gateway)
    {
        var troubles = new List<string>();
        if (gateway.HasExited) return ["the gateway has ended"];
        string[] errors = [.. gateway.Error.Where(static l => l.Split(' ', 3) is [_, "error" or "fatal", _]).Take(5)];
        if (errors.Length > 0) troubles.Add($"the gateway logged errors: {string.Join("; ", errors)}");
        MetricSamples metrics = await gateway.MetricsAsync();
        if (metrics.Sum("gateway_errors_total", "category=\"internal\"") is var faults and > 0) troubles.Add($"{faults} internal errors");
        return troubles;
    }

    /// <summary>All traffic and a swap each second, for that long; the number of swaps. <paramref name="onSecond"/> gets the time since the start.</summary>
    private static async Task<int> LoadAsync(SoakSite site, GatewayProcess gateway, Tally tally, TimeSpan duration, int rate, string accessLog, Func<TimeSpan, Task> onSecond)
    {
        _ = await gateway.ApplyAsync(site.Config(0, accessLog));
        using var stop = new CancellationTokenSource();
        Task[] clients = [.. Traffic.All(gateway.Listener(), gateway.Listener("tls")).SelectMany(t => Enumerable.Range(0, t.Clients).Select(_ => Task.Run(() => ActAsync(t, rate, tally, stop.Token))))];
        int swaps = 0;
        long start = Stopwatch.GetTimestamp();
        using var second = new PeriodicTimer(TimeSpan.FromSeconds(1));
        while (Stopwatch.GetElapsedTime(start) < duration && await second.WaitForNextTickAsync())
        {
            AdminAnswer answer = await gateway.TryApplyAsync(site.Config(++swaps, accessLog));
            if ((int)answer.Status != 200) tally.Fail($"swap {swaps}: {answer.Status} {answer.Text}");
            await onSecond(Stopwatch.GetElapsedTime(start));
        }
        await stop.CancelAsync();
        await Task.WhenAll(clients);
        return swaps;
    }

    private static async Task ActAsync(Traffic traffic, int rate, Tally tally, CancellationToken stop)
    {
        SoakClient client = traffic.Create();
        using var turn = new PeriodicTimer(TimeSpan.FromSeconds(traffic.Clients / (traffic.Share * rate)));
        try
        {
            while (await turn.WaitForNextTickAsync(stop))
            {
                string outcome;
                try { outcome = await client.ActAsync(); }
                catch (Exception e) when (e is IOException or SocketException or TimeoutException or InvalidDataException or HttpRequestException or WebSocketException or OperationCanceledException)
                {
                    outcome = $"{e.GetType().Name}: {e.Message}";
                    await client.DisposeAsync();
                    client = traffic.Create();
                }
                tally.Record(traffic, outcome);
            }
        }
        catch (OperationCanceledException)
        {
            // The end of the load.
        }
        finally
        {
            await client.DisposeAsync();
        }
    }

    /// <summary>Takes every route and pool away and waits for what they held to be closed; the descriptors that are open then.</summary>
    private static async Task<int> RestAsync(GatewayProcess gateway, string accessLog, int? target = null)
    {
        _ = await gateway.ApplyAsync(SoakSite.Bare(accessLog));
        int last = int.MaxValue, same = 0;
        long start = Stopwatch.GetTimestamp();
        using var pause = new PeriodicTimer(TimeSpan.FromMilliseconds(250));
        // Until nothing has been closed for two seconds, or what was there before is all that is left.
        while (same < 8 && Stopwatch.GetElapsedTime(start) < TimeSpan.FromMinutes(1) && await pause.WaitForNextTickAsync())
        {
            int now = gateway.Descriptors;
            if (now <= target) return now;
            // Towards a target there is time: connections of clients that have left may have to be timed out.
            same = now == last && target is null ? same + 1 : 0;
            last = now;
        }
        return last;
    }
}
