using System.Diagnostics;
using System.Globalization;
using System.Text;
using Xunit;

namespace Gateway.Functional.Tests.Kill;

/// <summary>
/// <c>kill -9</c> at the durable steps of the built gateway. A few dozen here; <c>make kill</c> takes hundreds and writes down which
/// (<c>GATEWAY_KILL_RUNS</c>, <c>GATEWAY_KILL_REPORT</c>, <c>GATEWAY_KILL_SEED</c>).
/// </summary>
public sealed class KillTests(ITestOutputHelper output)
{
    private const int UsualRuns = 30;

    /// <summary>A start and the changes after it take fewer durable steps.</summary>
    private const int MostSteps = 260;

    /// <summary>Then the history has been rewritten and its documents have gone several times.</summary>
    private const int RunsOfAFolder = 40;

    [Fact]
    public async Task KilledAtAnyStep_ItStartsOnAGoodSnapshotWithItsHistory()
    {
        int runs = Number("GATEWAY_KILL_RUNS") ?? UsualRuns, seed = Number("GATEWAY_KILL_SEED") ?? 1;
        Random random = new(seed);
        SortedDictionary<string, int> points = new(StringComparer.Ordinal);
        int layered = 0;
        long start = Stopwatch.GetTimestamp();
        for (int done = 0; done < runs;)
        {
            await using KillRun run = await KillRun.StartAsync();
            int last = Math.Min(done + RunsOfAFolder, runs);
            int nth = 0;
            try
            {
                for (; done < last; done++) await run.OnceAsync(nth = random.Next(1, MostSteps));
                await run.EndAsync();
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"run {done} of seed {seed} after a fault armed for step {nth}: {e.Message}", e);
            }
            layered += run.Layered;
            foreach ((string point, int count) in run.Points) points[point] = points.GetValueOrDefault(point) + count;
        }
        Assert.Equal(runs, points.Values.Sum());
        Assert.True(points.Count >= Math.Min(runs / 3, 20), $"only {points.Count} different points killed");
        Assert.True(layered > 0, "no layer was laid over anything");
        string report = Report(points, runs, seed, Stopwatch.GetElapsedTime(start));
        output.WriteLine(report);
        if (Environment.GetEnvironmentVariable("GATEWAY_KILL_REPORT") is { Length: > 0 } file) await File.WriteAllTextAsync(file, report);
    }

    private static string Report(SortedDictionary<string, int> points, int runs, int seed, TimeSpan took)
    {
        StringBuilder text = new();
        _ = text.Append(CultureInfo.InvariantCulture, $"""
            # kill -9 at the durable steps of bin/gateway

            - command: `make kill RUNS={runs}`, seed {seed}, {took.TotalMinutes:0.0} minutes
            - what: a gateway kills itself (SIGKILL) at a random one of the durable steps of its start and of the changes after it (applies, signed
              bundles pushed and pulled, refused documents, rollbacks, rollouts, layers that come and go); the next one starts on the same data folder and is looked at before it works until its own death.
            - held each time: it starts; it serves what was answered last or what was under way, never a mixture; the history is monotone, has what was
              answered, and each of its documents can be read; exactly one record is live, the last applied one; no bundle can come twice; the audit
              log can be read; no rollout runs on; no temporary file is left.
            - outcome: {runs} of {runs} as it should be

            | during | killed at | times |
            |---|---|---|

            """);
        foreach ((string point, int count) in points) _ = text.Append(CultureInfo.InvariantCulture, $"| {point} | {count} |\n");
        return text.ToString();
    }

    private static int? Number(string name) => int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : null;
}
