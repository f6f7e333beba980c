using System.Net;
using System.Text.Json;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Fleet;

/// <summary>A rollout by share: all replicas at the same stage at once. And what may be done with any rollout of a fleet, at any replica.</summary>
public sealed class FleetTogetherTests(PostgresFixture fixture) : IClassFixture<PostgresFixture>
{
    private const string Together = "\"fleet\": \"together\",";

    private static string Staged(string text, int odd = 200, string more = Together) => FleetDoc.Document(text, odd, more, """{ "percent": 20, "for": "0s" }, { "percent": 50, "for": "0s" }""");

    private static async Task<FleetSite> StartAsync(PostgresFixture fixture, string document)
    {
        FleetSite site = new(fixture);
        foreach (string replica in (string[])["a", "b", "c"]) _ = await site.StartWithAsync(replica, document);
        await site.AllSayAsync("one");
        await site.AllInStepAsync();
        return site;
    }

    private static int[] Passed(JsonElement view) => [.. view.GetProperty("rollout").GetProperty("replicas").EnumerateArray().Select(static p => p.GetProperty("passed").GetInt32())];

    private static double[] Shares(JsonElement view) => [.. view.GetProperty("rollout").GetProperty("replicas").EnumerateArray().Select(static p => p.GetProperty("percent").GetDouble())];

    [Fact]
    public async Task AllServeTheSameStage_NobodyGoesOnBeforeAllHavePassedIt_AndItIsWatchedFromAnyReplica()
    {
        await using FleetSite site = await StartAsync(fixture, Staged("one"));
        string version = await site.BeginAsync(Staged("two"));
        JsonElement view = await site.ViewAsync("c", "all at the first stage", v => FleetSite.Parts(v) == "a:running b:running c:running" && Shares(v) is [20, 20, 20]);
        Assert.Equal("together", view.GetProperty("rollout").GetProperty("mode").GetString());
        // c has no part in beginning it, and follows it as a whole.
        Task<CommandResult> watching = site["c"].CtlAsync("rollout", "watch");
        await using Visitors a = new(site["a"], "/"), b = new(site["b"], "/");
        view = await site.ViewAsync("b", "that a and b have passed it", v => Passed(v) is [1, 1, 0]);
        Assert.Equal([20.0, 20, 20], Shares(view));
        Assert.Contains("waits for the other replicas", (await site["a"].GetAsync("/admin/rollouts")).Text, StringComparison.Ordinal);
        await using (Visitors c = new(site["c"], "/"))
        {
            _ = await site.ViewAsync("a", "the promotion", v => FleetSite.RolloutState(v) == "promoted" && FleetSite.InStep(v, 3));
            Assert.Equal((0, 0, 0), (a.Failed, b.Failed, c.Failed));
        }
        await site.AllSayAsync("two");
        CommandResult watched = await Eventually.Within("the watch ends with it", watching);
        Assert.True(watched.ExitCode == 0, watched.Both);
        Assert.Matches("rollout fleet-[0-9]+ running \\(a running, b running, c running\\) at 20%(.|\n)*at 50%(.|\n)*promoted(.|\n)*REPLICA", watched.Out);
        foreach (string replica in site.Running)
        {
            JsonElement ofFleet = (await site[replica].GetAsync("/admin/rollouts")).Json.GetProperty("fleet");
            Assert.Equal(("promoted", version, 3), (ofFleet.GetProperty("state").GetString(), ofFleet.GetProperty("version").GetString(), ofFleet.GetProperty("replicas").GetArrayLength()));
        }
    }

    [Fact]
    public async Task WhatOneOfThemReturns_AllReturn()
    {
        await using FleetSite site = await StartAsync(fixture, Staged("one"));
        _ = await site.BeginAsync(Staged("two", odd: 500));
        _ = await site.ViewAsync("a", "all at the first stage", v => FleetSite.Parts(v) == "a:running b:running c:running");
        await using Visitors a = new(site["a"], "/"), odd = new(site["c"], "/odd");
        JsonElement view = await site.ViewAsync("b", "the return", v => FleetSite.RolloutState(v) == "returned");
        Assert.Matches("replica c: .*odd", FleetSite.RolloutReason(view));
        foreach (string replica in site.Running) await Eventually.Until($"{replica} has no candidate any more", async () => !await site.IsTryingAsync(replica));
        await site.AllSayAsync("one");
        Assert.Equal(0, a.Failed);
    }

    [Fact]
    public async Task PauseResumePromoteAndAbort_WorkAtAnyReplica_ForAll()
    {
        string document = FleetDoc.Document("one");
        await using FleetSite site = await StartAsync(fixture, document);
        _ = await site.BeginAsync(FleetDoc.Document("two"));
        _ = await site.ViewAsync("c", "that a is at it", v => FleetSite.Parts(v) == "a:running b:waiting c:waiting");

        // c waits for its turn: what it is asked for happens at a.
        CommandResult paused = await site["c"].CtlAsync("rollout", "pause");
        Assert.True(paused.ExitCode == 0, paused.Both);
        Assert.Contains("paused", paused.Out, StringComparison.Ordinal);
        await LocalAsync("a", "paused");
        CommandResult resumed = await site["b"].CtlAsync("rollout", "resume");
        Assert.True(resumed.ExitCode == 0, resumed.Both);
        await LocalAsync("a", "running");
        CommandResult aborted = await site["c"].CtlAsync("rollout", "abort");
        Assert.True(aborted.ExitCode == 0, aborted.Both);
        await LocalAsync("a", "aborted");
        JsonElement view = await site.ViewAsync("b", "its end", v => FleetSite.RolloutState(v) == "aborted");
        Assert.Equal("replica c: aborted by token", FleetSite.RolloutReason(view));
        await site.AllSayAsync("one");

        _ = await site.BeginAsync(FleetDoc.Document("two"));
        _ = await site.ViewAsync("c", "that a is at it", v => FleetSite.Parts(v) == "a:running b:waiting c:waiting");
        CommandResult promoted = await site["c"].CtlAsync("rollout", "promote");
        Assert.True(promoted.ExitCode == 0, promoted.Both);
        Assert.Contains("promoted", promoted.Out, StringComparison.Ordinal);
        await site.AllSayAsync("two");
        string id = (await site["b"].GetAsync("/admin/rollouts")).Json.GetProperty("fleet").GetProperty("id").GetString()!;
        Assert.Equal(HttpStatusCode.Conflict, (await site["b"].PostAsync($"/admin/rollouts/{id}/abort", "")).Status);

        Task LocalAsync(string replica, string state) => Eventually.Until($"the part of {replica} is {state}", async () =>
            (await site[replica].GetAsync("/admin/rollouts")).Json.GetProperty("rollouts")[0].GetProperty("state").GetString() == state);
    }
}
