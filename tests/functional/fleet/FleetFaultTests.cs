using System.Net;
using System.Text.Json;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Fleet;

/// <summary>What becomes of a fleet's rollout when the database hangs, a replica is cut off, or one dies at the worst moment.</summary>
public sealed class FleetFaultTests(PostgresFixture fixture) : IClassFixture<PostgresFixture>
{
    private const string ShortHold = "\"holdTimeout\": \"5s\",";

    private static async Task<FleetSite> StartAsync(FleetSite site, params string[] replicas)
    {
        foreach (string replica in replicas) _ = await site.StartWithAsync(replica, FleetDoc.Document("one", more: ShortHold));
        await site.AllSayAsync("one");
        await site.AllInStepAsync();
        return site;
    }

    /// <summary>Begins, and waits until the candidate has passed at a, which holds it.</summary>
    private static async Task<Visitors> HeldAtAAsync(FleetSite site, string document)
    {
        _ = await site.BeginAsync(document);
        Visitors visitors = new(site["a"], "/");
        await Eventually.Until("the candidate has passed at a", async () => (await site["a"].GetAsync("/admin/rollouts")).Text.Contains("waits for the other replicas", StringComparison.Ordinal));
        return visitors;
    }

    private static Task AloneAsync(FleetSite site, string replica) => Eventually.Until($"{replica} serves what is live alone", async () => !await site.IsTryingAsync(replica), TimeSpan.FromSeconds(40));

    [Fact]
    public async Task ADatabaseThatHangs_StopsNoTraffic_AndTheCandidateIsServedNoLongerThanTheHoldTimeout()
    {
        await using FleetSite site = await StartAsync(new FleetSite(fixture), "a", "b");
        await using Visitors a = await HeldAtAAsync(site, FleetDoc.Document("two", more: ShortHold));
        await fixture.Server!.FreezeAsync();
        try
        {
            await AloneAsync(site, "a");
            for (int i = 0; i < 50; i++) Assert.Equal("one", await FleetSite.TextAsync(site["a"]));
            Assert.Contains("out of sight for 5s", (await site["a"].GetAsync("/admin/rollouts")).Text, StringComparison.Ordinal);
            Assert.Equal("one", await FleetSite.TextAsync(site["b"]));
        }
        finally
        {
            await fixture.Server.ThawAsync();
        }
        JsonElement view = await site.ViewAsync("b", "the end", v => FleetSite.RolloutState(v) == "aborted");
        Assert.Contains("replica a: the fleet was out of sight", FleetSite.RolloutReason(view), StringComparison.Ordinal);
        Assert.Equal(0, a.Failed);
        // It says nothing against the candidate, and the fleet goes on.
        await site.AllInStepAsync();
        await using Visitors b = new(site["b"], "/");
        _ = await site.BeginAsync(FleetDoc.Document("two", more: ShortHold));
        _ = await site.ViewAsync("b", "the promotion", v => FleetSite.RolloutState(v) == "promoted" && FleetSite.InStep(v, 2));
        await site.AllSayAsync("two");
    }

    [Fact]
    public async Task AReplicaThatIsCutOff_GivesTheCandidateUp_TheOthersEndIt_AndItFollowsThemWhenItSeesThemAgain()
    {
        await using FleetSite site = new(fixture);
        await using TcpRelay relay = TcpRelay.To(fixture.Server!.Port);
        site.Ports["a"] = relay.Port;
        _ = await StartAsync(site, "a", "b");
        await using (Visitors a = await HeldAtAAsync(site, FleetDoc.Document("two", more: ShortHold)))
        {
            relay.Cut();
            await AloneAsync(site, "a");
            JsonElement view = await site.ViewAsync("b", "the end", v => FleetSite.RolloutState(v) == "aborted");
            Assert.Equal("replica a: it went away with the candidate", FleetSite.RolloutReason(view));
            _ = await site["b"].ApplyAsync(FleetDoc.Document("three", more: ShortHold));
            Assert.Equal("one", await FleetSite.TextAsync(site["a"]));
            Assert.Equal(0, a.Failed);
        }
        relay.Mend();
        await site.AllSayAsync("three");
        await site.AllInStepAsync();
        Assert.Equal("replica a: it went away with the candidate", FleetSite.RolloutReason(await site.ViewAsync("a", "the same end", v => FleetSite.RolloutState(v) == "aborted")));
    }

    [Fact]
    public async Task WhatIsReturnedWhileTheDatabaseIsAway_IsReturnedThereAtOnce_AndByTheFleetWhenItIsBack()
    {
        await using FleetSite site = await StartAsync(new FleetSite(fixture), "a", "b");
        string bad = FleetDoc.Document("two", odd: 500, more: "\"holdTimeout\": \"1h\",");
        _ = await site["a"].ApplyAsync(FleetDoc.Document("one", more: "\"holdTimeout\": \"1h\","));
        await site.AllInStepAsync();
        await using Visitors plain = await HeldAtAAsync(site, bad);
        await fixture.Server!.StopAsync();
        try
        {
            await using Visitors odd = new(site["a"], "/odd");
            await AloneAsync(site, "a");
            Assert.Contains("\"returned\"", (await site["a"].GetAsync("/admin/rollouts")).Text, StringComparison.Ordinal);
        }
        finally
        {
            await fixture.Server.StartAgainAsync();
        }
        JsonElement view = await site.ViewAsync("b", "the return", v => FleetSite.RolloutState(v) == "returned");
        Assert.Matches("replica a: .*odd", FleetSite.RolloutReason(view));
        Assert.Equal(0, await site.CanariesAsync("b"));
        await site.AllSayAsync("one");
    }

    [Theory]
    [InlineData("share.commit.before", "one", "aborted")]
    [InlineData("share.commit.after", "two", "promoted")]
    public async Task AReplicaThatDiesAtThePromotion_LeavesTheCandidateEverybodysOrNobodys(string step, string expected, string state)
    {
        await using FleetSite site = new(fixture);
        _ = await site.StartWithAsync("a", FleetDoc.Document("one"));
        // The last one that passes is the one that makes it the fleet's.
        _ = await site.StartWithAsync("b", FleetDoc.Document("one"), $"{step}:1");
        await site.AllInStepAsync();
        await using Visitors a = new(site["a"], "/");
        _ = await site.BeginAsync(FleetDoc.Document("two"));
        await using (new Doomed(site["b"]))
        {
            await Eventually.Until("b dies", () => site["b"].HasExited, TimeSpan.FromSeconds(40));
        }
        await site.StopAsync("b", kill: true);
        _ = await site.StartAsync("b", null);
        JsonElement view = await site.ViewAsync("a", "the end", v => FleetSite.RolloutState(v) == state && FleetSite.InStep(v, 2));
        await site.AllSayAsync(expected);
        Assert.Equal(expected == "two" ? 2 : 1, FleetSite.Desired(view));
        Assert.Equal(0, a.Failed);
    }

    [Fact]
    public async Task AFaultOfAReplica_SaysNothingAgainstTheCandidate_AtTheOthers()
    {
        await using FleetSite site = await StartAsync(new FleetSite(fixture), "a", "b");
        await using Visitors a = await HeldAtAAsync(site, FleetDoc.Document("two", more: ShortHold));
        _ = await site.ViewAsync("a", "that b is at it", v => FleetSite.Parts(v) == "a:passed b:running");
        await site.StopAsync("b", kill: true);
        _ = await site.StartAsync("b", null);
        _ = await site.ViewAsync("a", "the end", v => FleetSite.RolloutState(v) == "aborted");
        await AloneAsync(site, "a");
        JsonElement part = (await site["a"].GetAsync("/admin/rollouts")).Json.GetProperty("rollouts")[0];
        Assert.Equal(("aborted", true), (part.GetProperty("state").GetString(), part.TryGetProperty("retry", out JsonElement retry) && retry.GetBoolean()));
    }

    /// <summary>Requests to a replica that is to die under them.</summary>
    private sealed class Doomed : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _loop;

        public Doomed(GatewayProcess gateway)
        {
            Uri address = gateway.Listener();
            _loop = Task.Run(async () =>
            {
                using var client = new HttpClient(H2Client.Handler()) { BaseAddress = address };
                while (!_stop.IsCancellationRequested)
                {
                    try
                    {
                        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync(new Uri("/", UriKind.Relative))).StatusCode);
                    }
                    catch (HttpRequestException)
                    {
                        return;
                    }
                }
            });
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _loop;
            _stop.Dispose();
        }
    }
}
