using System.Net;
using System.Text.Json;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Fleet;

/// <summary>A candidate goes through the replicas one after another, and is everybody's or nobody's.</summary>
public sealed class FleetRolloutTests(PostgresFixture fixture) : IClassFixture<PostgresFixture>
{
    private static async Task<FleetSite> StartAsync(PostgresFixture fixture)
    {
        FleetSite site = new(fixture);
        foreach (string replica in (string[])["a", "b", "c"]) _ = await site.StartAsync(replica, "live");
        _ = await site["a"].ApplyAsync(FleetDoc.Document("one"));
        await site.AllSayAsync("one");
        await site.AllInStepAsync();
        return site;
    }

    [Fact]
    public async Task AGoodCandidate_PassesAtOneReplicaAfterAnother_AndIsThenEverybodysAtOnce()
    {
        await using FleetSite site = await StartAsync(fixture);
        string version = await site.BeginAsync(FleetDoc.Document("two"));
        await using (Visitors first = new(site["a"], "/"))
        {
            // b has no visitors, so it waits for requests to judge by; a keeps the candidate at its share, and the fleet wants what it wanted.
            JsonElement view = await site.ViewAsync("c", "that a has passed and b is at it", v => FleetSite.Parts(v) == "a:passed b:running c:waiting");
            Assert.Equal(2, FleetSite.Desired(view));
            Assert.Contains("waits for the other replicas", (await site["a"].GetAsync("/admin/rollouts")).Text, StringComparison.Ordinal);
            _ = await site.ViewAsync("b", "the same", v => FleetSite.Parts(v) == "a:passed b:running c:waiting");
            Assert.Contains("a passed, b running, c waiting", (await site["b"].CtlAsync("fleet")).Out, StringComparison.Ordinal);
            AdminAnswer other = await site["c"].TryApplyAsync(FleetDoc.Document("three"));
            Assert.Equal((HttpStatusCode.Conflict, ": rollout_running"), (other.Status, Assert.Single(other.ErrorCodes)));
            Assert.Equal(HttpStatusCode.Conflict, (await site["c"].TryApplyAsync(FleetDoc.Document("three"), query: "?rollout=default")).Status);
            Assert.Equal("one", await FleetSite.TextAsync(site["c"]));
            await using Visitors second = new(site["b"], "/"), third = new(site["c"], "/");
            _ = await site.ViewAsync("c", "the promotion", v => FleetSite.RolloutState(v) == "promoted" && FleetSite.InStep(v, 3));
            Assert.Equal((0, 0, 0), (first.Failed, second.Failed, third.Failed));
        }
        await site.AllSayAsync("two");
        JsonElement after = await site.ViewAsync("a", "the new version", v => FleetSite.Desired(v) == 3);
        Assert.Equal((version, "admin"), (after.GetProperty("desired").GetProperty("version").GetString(), after.GetProperty("desired").GetProperty("source").GetString()));
        foreach (string replica in site.Running)
            Assert.Equal("promoted", Assert.Single((await site[replica].GetAsync("/admin/rollouts")).Json.GetProperty("rollouts").EnumerateArray()).GetProperty("state").GetString());
        _ = await site["c"].ApplyAsync(FleetDoc.Document("three"));
        await site.AllSayAsync("three");
    }

    [Fact]
    public async Task WhatOneReplicaReturns_TheFleetReturnsTogether()
    {
        await using FleetSite site = await StartAsync(fixture);
        _ = await site.BeginAsync(FleetDoc.Document("two", odd: 500));
        // Only c's visitors ask for what the candidate breaks.
        await using Visitors first = new(site["a"], "/"), second = new(site["b"], "/"), third = new(site["c"], "/odd");
        JsonElement view = await site.ViewAsync("a", "the return", v => FleetSite.RolloutState(v) == "returned");
        Assert.Matches("replica c: .*odd", view.GetProperty("rollout").GetProperty("reason").GetString());
        Assert.Equal("a:passed b:passed c:returned", FleetSite.Parts(view));
        foreach (string replica in site.Running)
            await Eventually.Until($"{replica} has no candidate any more", async () => !await site.IsTryingAsync(replica));
        await site.AllSayAsync("one");
        Assert.Equal(2, FleetSite.Desired(view));
        Assert.Equal((0, 0), (first.Failed, second.Failed));
        Assert.Contains("the fleet (replica c: ", (await site["a"].GetAsync("/admin/rollouts")).Text, StringComparison.Ordinal);
        _ = await site["b"].ApplyAsync(FleetDoc.Document("three"));
        await site.AllSayAsync("three");
    }

    [Fact]
    public async Task APromotionThatComesAfterTheReturn_FindsTheRolloutEnded()
    {
        await using FleetSite site = await StartAsync(fixture);
        AdminAnswer begun = await site["a"].TryApplyAsync(FleetDoc.Document("two"), query: "?rollout=default");
        // As another replica writes it down, and before a hears of it.
        await fixture.Server!.ExecuteAsync($"UPDATE {site.Schema}.rollouts SET state = 'returned', reason = 'replica b: worse', ended_at = now() WHERE state = 'running'");
        AdminAnswer promoted = await site["a"].PostAsync($"/admin/rollouts/{begun.Json.GetProperty("id").GetString()}/promote", "");
        Assert.Equal((HttpStatusCode.Conflict, true), (promoted.Status, promoted.Text.Contains("rollout_ended", StringComparison.Ordinal)));
        JsonElement view = await site.ViewAsync("a", "the return", v => FleetSite.RolloutState(v) == "returned");
        Assert.Equal(2, FleetSite.Desired(view));
        await Eventually.Until("a has no candidate any more", async () => !await site.IsTryingAsync("a"));
        await site.AllSayAsync("one");
    }

    [Fact]
    public async Task TheDatabaseAwayInTheMiddle_HoldsTheRolloutUpAndNoMore()
    {
        await using FleetSite site = await StartAsync(fixture);
        _ = await site.BeginAsync(FleetDoc.Document("two"));
        await fixture.Server!.StopAsync();
        try
        {
            await using Visitors first = new(site["a"], "/");
            await Eventually.Until("the candidate has passed at a", async () => (await site["a"].GetAsync("/admin/rollouts")).Text.Contains("waits for the other replicas", StringComparison.Ordinal));
            Assert.Equal(("one", "one"), (await FleetSite.TextAsync(site["b"]), await FleetSite.TextAsync(site["c"])));
        }
        finally
        {
            await fixture.Server.StartAgainAsync();
        }
        await using Visitors a = new(site["a"], "/"), b = new(site["b"], "/"), c = new(site["c"], "/");
        _ = await site.ViewAsync("b", "the promotion", v => FleetSite.RolloutState(v) == "promoted" && FleetSite.InStep(v, 3));
        await site.AllSayAsync("two");
        Assert.Equal((0, 0, 0), (a.Failed, b.Failed, c.Failed));
    }

    [Fact]
    public async Task AReplicaThatIsRestartedWithTheCandidate_EndsIt_AndSoDoesARollbackAnywhere()
    {
        await using FleetSite site = await StartAsync(fixture);
        _ = await site.BeginAsync(FleetDoc.Document("two"));
        await site.StopAsync("a", kill: true);
        _ = await site.StartAsync("a", null);
        JsonElement view = await site.ViewAsync("b", "the end", v => FleetSite.RolloutState(v) == "aborted");
        Assert.Contains("restarted", view.GetProperty("rollout").GetProperty("reason").GetString(), StringComparison.Ordinal);
        await site.AllSayAsync("one");

        await site.AllInStepAsync();
        _ = await site.BeginAsync(FleetDoc.Document("three"));
        _ = await site.ViewAsync("c", "the next", v => FleetSite.RolloutState(v) == "running");
        Assert.Equal(HttpStatusCode.OK, (await site["c"].PostAsync("/admin/rollback", "")).Status);
        view = await site.ViewAsync("b", "its end", v => FleetSite.RolloutState(v) == "aborted");
        Assert.Equal("replica c: rolled back by token", FleetSite.RolloutReason(view));
        await Eventually.Until("a has no candidate any more", async () => !await site.IsTryingAsync("a"));
        await site.AllSayAsync("one");
        Assert.Equal(2, FleetSite.Desired(view));
        // With nothing to take back, it goes one version back, for all.
        Assert.Equal(HttpStatusCode.OK, (await site["c"].PostAsync("/admin/rollback", "")).Status);
        await site.AllSayAsync("live");
    }
}
