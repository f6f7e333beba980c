using System.Net;
using System.Text.Json;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Fleet;

/// <summary>A candidate goes through the replicas one after another, and is everybody's or nobody's.</summary>
public sealed class FleetRolloutTests(PostgresFixture fixture) : IClassFixture<PostgresFixture>
{
    private const string Rollout = """
        "rollout": { "default": { "stages": [{ "percent": 50, "for": "0s" }], "cohort": "random", "gates": { "minSamples": 30 } } }
        """;

    /// <param name="text">What everything is answered with.</param>
    /// <param name="odd">Status of requests to /odd.</param>
    private static string Document(string text, int odd = 200) => Doc.Of(
        routes: $$"""{ "name": "odd", "match": { {{Doc.Exact("/odd")}} }, "respond": { "status": {{odd}}, "body": "{{text}}" } }, { "name": "all", "respond": { "body": "{{text}}" } }""", pools: "", more: Rollout);

    private static async Task<FleetSite> StartAsync(PostgresFixture fixture)
    {
        FleetSite site = new(fixture);
        await site.StartAllAsync("a", "b", "c");
        _ = await site["a"].ApplyAsync(Document("one"));
        await site.AllSayAsync("one");
        foreach (string replica in site.Running) _ = await site.ViewAsync(replica, "all in step", v => FleetSite.InStep(v, 3));
        return site;
    }

    private static async Task<string> BeginAsync(FleetSite site, string document)
    {
        AdminAnswer begun = await site["a"].TryApplyAsync(document, query: "?rollout=default");
        Assert.True(begun.Status == HttpStatusCode.Accepted, begun.Text);
        return begun.Json.GetProperty("version").GetString()!;
    }

    private static string? State(JsonElement view) => view.TryGetProperty("rollout", out JsonElement rollout) ? rollout.GetProperty("state").GetString() : null;

    private static string Parts(JsonElement view) => view.TryGetProperty("rollout", out JsonElement rollout)
        ? string.Join(' ', rollout.GetProperty("replicas").EnumerateArray().Select(static p => $"{p.GetProperty("name").GetString()}:{p.GetProperty("state").GetString()}")) : "";

    private static int Desired(JsonElement view) => view.GetProperty("desired").GetProperty("sequence").GetInt32();

    [Fact]
    public async Task AGoodCandidate_PassesAtOneReplicaAfterAnother_AndIsThenEverybodysAtOnce()
    {
        await using FleetSite site = await StartAsync(fixture);
        string version = await BeginAsync(site, Document("two"));
        await using (Visitors first = new(site["a"], "/"))
        {
            // b has no visitors, so it waits for requests to judge by; a keeps the candidate at its share, and the fleet wants what it wanted.
            JsonElement view = await site.ViewAsync("c", "that a has passed and b is at it", v => Parts(v) == "a:passed b:running c:waiting");
            Assert.Equal(2, Desired(view));
            Assert.Contains("waits for the other replicas", (await site["a"].GetAsync("/admin/rollouts")).Text, StringComparison.Ordinal);
            _ = await site.ViewAsync("b", "the same", v => Parts(v) == "a:passed b:running c:waiting");
            Assert.Contains("a passed, b running, c waiting", (await site["b"].CtlAsync("fleet")).Out, StringComparison.Ordinal);
            AdminAnswer other = await site["c"].TryApplyAsync(Document("three"));
            Assert.Equal((HttpStatusCode.Conflict, ": rollout_running"), (other.Status, Assert.Single(other.ErrorCodes)));
            Assert.Equal(HttpStatusCode.Conflict, (await site["c"].TryApplyAsync(Document("three"), query: "?rollout=default")).Status);
            Assert.Equal("one", await FleetSite.TextAsync(site["c"]));
            await using Visitors second = new(site["b"], "/"), third = new(site["c"], "/");
            _ = await site.ViewAsync("c", "the promotion", v => State(v) == "promoted" && FleetSite.InStep(v, 3));
            Assert.Equal((0, 0, 0), (first.Failed, second.Failed, third.Failed));
        }
        await site.AllSayAsync("two");
        JsonElement after = await site.ViewAsync("a", "the new version", v => Desired(v) == 3);
        Assert.Equal((version, "admin"), (after.GetProperty("desired").GetProperty("version").GetString(), after.GetProperty("desired").GetProperty("source").GetString()));
        foreach (string replica in site.Running)
            Assert.Equal("promoted", Assert.Single((await site[replica].GetAsync("/admin/rollouts")).Json.GetProperty("rollouts").EnumerateArray()).GetProperty("state").GetString());
        _ = await site["c"].ApplyAsync(Document("three"));
        await site.AllSayAsync("three");
    }

    [Fact]
    public async Task WhatOneReplicaReturns_TheFleetReturnsTogether()
    {
        await using FleetSite site = await StartAsync(fixture);
        _ = await BeginAsync(site, Document("two", odd: 500));
        // Only c's visitors ask for what the candidate breaks.
        await using Visitors first = new(site["a"], "/"), second = new(site["b"], "/"), third = new(site["c"], "/odd");
        JsonElement view = await site.ViewAsync("a", "the return", v => State(v) == "returned");
        Assert.Matches("replica c: .*odd", view.GetProperty("rollout").GetProperty("reason").GetString());
        Assert.Equal("a:passed b:passed c:returned", Parts(view));
        foreach (string replica in site.Running)
            await Eventually.Until($"{replica} has no candidate any more", async () => !(await site[replica].GetAsync("/admin/rollouts")).Text.Contains("\"running\"", StringComparison.Ordinal));
        await site.AllSayAsync("one");
        Assert.Equal(2, Desired(view));
        Assert.Equal((0, 0), (first.Failed, second.Failed));
        Assert.Contains("the fleet (replica c: ", (await site["a"].GetAsync("/admin/rollouts")).Text, StringComparison.Ordinal);
        _ = await site["b"].ApplyAsync(Document("three"));
        await site.AllSayAsync("three");
    }

    [Fact]
    public async Task TheDatabaseAwayInTheMiddle_HoldsTheRolloutUpAndNoMore()
    {
        await using FleetSite site = await StartAsync(fixture);
        _ = await BeginAsync(site, Document("two"));
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
        _ = await site.ViewAsync("b", "the promotion", v => State(v) == "promoted" && FleetSite.InStep(v, 3));
        await site.AllSayAsync("two");
        Assert.Equal((0, 0, 0), (a.Failed, b.Failed, c.Failed));
    }

    [Fact]
    public async Task AReplicaThatIsRestartedWithTheCandidate_EndsIt_AndSoDoesARollbackAnywhere()
    {
        await using FleetSite site = await StartAsync(fixture);
        _ = await BeginAsync(site, Document("two"));
        await site.StopAsync("a", kill: true);
        _ = await site.StartAsync("a", null);
        JsonElement view = await site.ViewAsync("b", "the end", v => State(v) == "aborted");
        Assert.Contains("restarted", view.GetProperty("rollout").GetProperty("reason").GetString(), StringComparison.Ordinal);
        await site.AllSayAsync("one");

        foreach (string replica in site.Running) _ = await site.ViewAsync(replica, "all in step", v => FleetSite.InStep(v, 3));
        _ = await BeginAsync(site, Document("three"));
        _ = await site.ViewAsync("c", "the next", v => State(v) == "running");
        Assert.Equal(HttpStatusCode.OK, (await site["c"].PostAsync("/admin/rollback", "")).Status);
        view = await site.ViewAsync("b", "its end", v => State(v) == "aborted");
        Assert.Contains("overtaken by change 3: rollback", view.GetProperty("rollout").GetProperty("reason").GetString(), StringComparison.Ordinal);
        await site.AllSayAsync("file");
    }

    /// <summary>Requests to one replica, one after another, until disposed.</summary>
    private sealed class Visitors : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _loop;
        private int _failed;

        public Visitors(GatewayProcess gateway, string path) => _loop = Task.Run(async () =>
        {
            using var client = new HttpClient(H2Client.Handler()) { BaseAddress = gateway.Listener() };
            while (!_stop.IsCancellationRequested)
            {
                using HttpResponseMessage response = await client.GetAsync(new Uri(path, UriKind.Relative));
                if (response.StatusCode != HttpStatusCode.OK) Interlocked.Increment(ref _failed);
                await Task.Delay(2);
            }
        });

        public int Failed => Volatile.Read(ref _failed);

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _loop;
            _stop.Dispose();
        }
    }
}
