using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Gateway.Functional.Tests.Distribution;
using Gateway.TestKit;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Gateway.Functional.Tests.Rollout;

/// <summary>
/// Bad candidates under load take themselves back, and good ones go through. <c>GATEWAY_ROLLOUT_RPS</c> sets the rate, and
/// <c>GATEWAY_ROLLOUT_REPORT</c> names a file for the table (<c>make rollouts</c>).
/// </summary>
[Collection("load")]
public sealed class RolloutGateTests
{
    private static readonly int Rate = int.Parse(Environment.GetEnvironmentVariable("GATEWAY_ROLLOUT_RPS") is { Length: > 0 } rate ? rate : "400", CultureInfo.InvariantCulture);

    /// <summary>At the rate that the figures are of.</summary>
    private static bool IsFull => Rate >= 2000;

    private static string Staged(double percent, string seconds = "1h") =>
        $$"""{ "stages": [{ "percent": {{percent.ToString(CultureInfo.InvariantCulture)}}, "for": "{{seconds}}" }], "cohort": "random", "gates": { "minSamples": 100 } }""";

    [Fact]
    public async Task APushedBundleWhoseRouteFails_IsReturned_BeforeItHarmsMany()
    {
        using var folder = new TempFolder();
        (RolloutSite site, Signer signer) = await RolloutSite.StartSignedAsync(Staged(0.5), folder);
        await using RolloutSite owned = site;
        site.Other.Map("/", static http =>
        {
            http.Response.StatusCode = 500;
            return Task.CompletedTask;
        });
        await using PacedLoad load = PacedLoad.Start(site.Gateway.Listener(), Rate);
        await load.MoreAsync(Rate);
        long begun = Stopwatch.GetTimestamp();
        string id = await site.PushAsync(signer, 1, site.Candidate(Staged(0.5)));
        JsonElement end = await site.EndAsync(id, TimeSpan.FromMinutes(2));
        TimeSpan took = Stopwatch.GetElapsedTime(begun);
        long harmed = load.Count(static (status, _) => status != 200);
        // The rest of a minute's traffic, or of a quarter of it.
        await load.MoreAsync((IsFull ? 60 : 15) * Rate - load.Total);
        await load.DisposeAsync();

        Assert.Equal("returned", end.GetProperty("state").GetString());
        JsonElement evidence = end.GetProperty("evidence");
        Assert.Equal(("shop", "errorRate"), (evidence.GetProperty("route").GetString(), evidence.GetProperty("gate").GetString()));
        Assert.Matches(@"^route shop: 100% of \d+ candidate requests failed, 0% of \d+ live ones$", end.GetProperty("reason").GetString());
        // Some may have been on their way when it was read.
        Assert.InRange(load.Count(static (status, _) => status != 200), 2, Math.Min(harmed + 20, IsFull ? load.Total / 500 : 40));
        // Each of them is the candidate's origin's own answer: the machinery failed none.
        Assert.Equal(0, load.Count(static (status, origin) => status != 200 && origin != "other"));
        Assert.Equal("bundle", end.GetProperty("source").GetString());
        Assert.Equal("live", await site.OriginAsync());
        Assert.Equal(1, (await site.Gateway.MetricsAsync()).Sum("gateway_rollbacks_total", "result=\"returned\""));
        Report("a signed bundle, every candidate response is a 500, 0.5 % share", load, load.Count(static (status, _) => status != 200), took, end);
    }

    [Fact]
    public async Task ACandidateThatTakesThreeTimesAsLong_IsReturned()
    {
        // Eight requests a second at least.
        double share = IsFull ? 0.5 : 2;
        await using RolloutSite site = await RolloutSite.StartAsync(Staged(share));
        site.Live.Map("/", http => Task.Delay(10, http.RequestAborted));
        site.Other.Map("/", http => Task.Delay(30, http.RequestAborted));
        await using PacedLoad load = PacedLoad.Start(site.Gateway.Listener(), Rate);
        await load.MoreAsync(Rate);
        long begun = Stopwatch.GetTimestamp();
        string id = await site.BeginAsync(site.Candidate(Staged(share)));
        JsonElement end = await site.EndAsync(id, TimeSpan.FromMinutes(2));
        TimeSpan took = Stopwatch.GetElapsedTime(begun);
        if (IsFull) await load.MoreAsync(60 * Rate - load.Total);
        await load.DisposeAsync();

        Assert.Equal("returned", end.GetProperty("state").GetString());
        JsonElement evidence = end.GetProperty("evidence");
        Assert.Equal(("shop", "latency"), (evidence.GetProperty("route").GetString(), evidence.GetProperty("gate").GetString()));
        Assert.Matches(@"^route shop: half of \d+ candidate requests took over \d+ ms and one in twenty over \d+ ms, of \d+ live ones \d+(\.\d)? ms and \d+(\.\d)? ms$", end.GetProperty("reason").GetString());
        Assert.Equal(0, load.Count(static (status, _) => status != 200));
        Report($"the candidate takes 30 ms where live takes 10 ms, {share.ToString(CultureInfo.InvariantCulture)} % share", load, load.Count(static (_, origin) => origin == "other"), took, end);
    }

    [Fact]
    public async Task ACandidateThatLetsNobodyIn_IsReturned()
    {
        await using RolloutSite site = await RolloutSite.StartAsync(Staged(5));
        site.Other.Map("/", static http =>
        {
            http.Response.StatusCode = 403;
            return Task.CompletedTask;
        });
        await using PacedLoad load = PacedLoad.Start(site.Gateway.Listener(), Rate);
        await load.MoreAsync(Rate);
        string id = await site.BeginAsync(site.Candidate(Staged(5)));
        JsonElement end = await site.EndAsync(id, TimeSpan.FromMinutes(2));
        await load.DisposeAsync();

        Assert.Equal(("returned", "clientErrors"), (end.GetProperty("state").GetString(), end.GetProperty("evidence").GetProperty("gate").GetString()));
        Assert.Matches(@"^route shop: 100% of \d+ candidate requests were answered with 4xx, 0% of \d+ live ones$", end.GetProperty("reason").GetString());
    }

    [Fact]
    public async Task AnEquivalentBundle_IsPromoted_WithoutAFailedRequest()
    {
        using var folder = new TempFolder();
        string rollout = """{ "stages": [{ "percent": 5, "for": "3s" }, { "percent": 50, "for": "3s" }], "cohort": "random", "gates": { "minSamples": 100 } }""";
        (RolloutSite site, Signer signer) = await RolloutSite.StartSignedAsync(rollout, folder);
        await using RolloutSite owned = site;
        await using PacedLoad load = PacedLoad.Start(site.Gateway.Listener(), Rate);
        await load.MoreAsync(Rate);
        long begun = Stopwatch.GetTimestamp();
        string id = await site.PushAsync(signer, 1, site.Candidate(rollout));
        JsonElement end = await site.EndAsync(id, TimeSpan.FromMinutes(2));
        TimeSpan took = Stopwatch.GetElapsedTime(begun);
        await load.MoreAsync(Rate);
        await load.DisposeAsync();

        Assert.Equal(("promoted", "every stage passed"), (end.GetProperty("state").GetString(), end.GetProperty("reason").GetString()));
        Assert.Equal(0, load.Count(static (status, _) => status != 200));
        Assert.Equal("other", await site.OriginAsync());
        Report("an equivalent signed bundle, 5 % and 50 % for 3 s each", load, 0, took, end);
    }

    private static void Report(string what, PacedLoad load, long harmed, TimeSpan took, JsonElement end)
    {
        if (Environment.GetEnvironmentVariable("GATEWAY_ROLLOUT_REPORT") is not { Length: > 0 } file) return;
        if (!File.Exists(file))
        {
            File.WriteAllText(file, $"""
                # Rollouts under load

                Open-loop requests over kept-alive connections against the built gateway, {Environment.ProcessorCount} cores shared by clients, origins and gateway. A row is one rollout;
                harmed are requests that failed or, of the slow candidate, that it served; the load goes on for a minute in all.

                | candidate | asked rps | rps | requests | harmed | share | verdict | after | reason |
                |---|---|---|---|---|---|---|---|---|

                """);
        }
        File.AppendAllText(file, string.Create(CultureInfo.InvariantCulture,
            $"| {what} | {Rate} | {load.Rate:0} | {load.Total} | {harmed} | {100.0 * harmed / load.Total:0.000} % | {end.GetProperty("state").GetString()} | {took.TotalSeconds:0.0} s | {end.GetProperty("reason").GetString()} |\n"));
    }
}
