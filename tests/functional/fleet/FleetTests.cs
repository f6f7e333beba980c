using System.Net;
using System.Text.Json;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Fleet;

/// <summary>Replicas over a real PostgreSQL that the tests start and stop.</summary>
public sealed class FleetTests(PostgresFixture fixture) : IClassFixture<PostgresFixture>
{
    [Fact]
    public async Task AChangeAtOneReplica_IsEveryReplicas_AndSoIsARollbackAtAnother()
    {
        await using FleetSite site = new(fixture);
        _ = await site.StartAsync("a", "first");
        // The first one's configuration is the fleet's, whatever is in the files of those that come later.
        _ = await site.StartAsync("b", "another");
        _ = await site.StartAsync("c", "third");
        await site.AllSayAsync("first");
        string two = await site["b"].ApplyAsync(FleetSite.Saying("two"));
        await site.AllSayAsync("two");
        JsonElement view = await site.ViewAsync("c", "three replicas in step", v => FleetSite.InStep(v, 3) && FleetSite.Desired(v) == 2);
        Assert.Equal(("c", two, "b", 2), (view.GetProperty("replica").GetString(), view.GetProperty("desired").GetProperty("version").GetString(), view.GetProperty("desired").GetProperty("replica").GetString(), view.GetProperty("desired").GetProperty("sequence").GetInt32()));
        Assert.All(view.GetProperty("replicas").EnumerateArray(), r => Assert.Equal(two, r.GetProperty("version").GetString()));
        JsonElement entry = (await site["c"].GetAsync("/admin/history?limit=1")).Json.GetProperty("entries")[0];
        Assert.Equal(("fleet", "change 2 of the fleet: admin by token at b"), (entry.GetProperty("source").GetString(), entry.GetProperty("detail").GetString()));
        Assert.Equal(1, (await site["a"].MetricsAsync()).Sum("gateway_fleet_connected"));
        Assert.Equal(3, (await site["a"].MetricsAsync()).Sum("gateway_fleet_replicas"));
        Assert.Contains("replica a, 3 in all", (await site["a"].GetAsync("/readyz?verbose")).Text, StringComparison.Ordinal);

        CommandResult table = await site["a"].CtlAsync("fleet");
        Assert.Matches($"desired +{two[..12]}, change 2 of .*: admin by token at b\n(.|\n)*a +{two[..12]} +(2 +)?yes +serving", table.Out);
        Assert.Equal(0, (await site["c"].CtlAsync("rollback")).ExitCode);
        await site.AllSayAsync("first");
        Assert.Matches("3 .*rollback .* c +back to record(.|\n)*2 .*admin +token +b(.|\n)*1 .*file", (await site["a"].CtlAsync("fleet", "history")).Out);
        await Eventually.Until("the fleet's audit log has all three", async () => (await site["a"].CtlAsync("fleet", "audit")).Out is var audit
            && audit.Contains("rollback", StringComparison.Ordinal) && audit.Contains(two[..12], StringComparison.Ordinal) && audit.Contains("start", StringComparison.Ordinal));

        await site.StopAsync("b");
        _ = await site.ViewAsync("a", "that b has left", v => FleetSite.InStep(v, 2));
    }

    [Fact]
    public async Task TheDatabaseStoppedAndStarted_TrafficGoesOn_ChangesAreRefused_ARollbackIsMadeUpFor()
    {
        await using FleetSite site = new(fixture);
        await site.StartAllAsync("a", "b", "c");
        _ = await site["a"].ApplyAsync(FleetSite.Saying("two"));
        await site.AllSayAsync("two");
        await using PausedServer paused = await PausedServer.StopAsync(fixture.Server!);
        foreach (string replica in site.Running) _ = await site.ViewAsync(replica, "that the database is away", v => !FleetSite.IsConnected(v));
        await site.AllSayAsync("two");
        AdminAnswer refused = await site["a"].TryApplyAsync(FleetSite.Saying("three"));
        Assert.Equal((HttpStatusCode.ServiceUnavailable, ": fleet_unavailable"), (refused.Status, Assert.Single(refused.ErrorCodes)));
        Assert.Contains("a rollback works", refused.Text, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await site["a"].GetAsync("/admin/fleet/history")).Status);
        Assert.Equal(0, (await site["b"].MetricsAsync()).Sum("gateway_fleet_connected"));
        AdminAnswer ready = await site["b"].GetAsync("/readyz?verbose");
        Assert.Equal(HttpStatusCode.OK, ready.Status);
        Assert.Contains("cannot be reached", ready.Text, StringComparison.Ordinal);

        // A restart with the database away: the last version, from the replica's own store.
        await site.StopAsync("c", kill: true);
        _ = await site.StartAsync("c", null);
        Assert.Equal("two", await FleetSite.TextAsync(site["c"]));

        AdminAnswer back = await site["a"].PostAsync("/admin/rollback", "");
        Assert.Equal(HttpStatusCode.OK, back.Status);
        Assert.Contains("fleet_pending", back.Text, StringComparison.Ordinal);
        Assert.Equal(("file", "two"), (await FleetSite.TextAsync(site["a"]), await FleetSite.TextAsync(site["b"])));
        await paused.StartAsync();
        await site.AllSayAsync("file");
        _ = await site.ViewAsync("b", "all in step", v => FleetSite.InStep(v, 3) && v.GetProperty("desired").GetProperty("replica").GetString() == "a");
        _ = await site["b"].ApplyAsync(FleetSite.Saying("four"));
        await site.AllSayAsync("four");
    }

    [Fact]
    public async Task ARollbackWhileAway_ThatTheFleetHasOvertaken_GivesWay()
    {
        await using FleetSite site = new(fixture);
        await site.StartAllAsync("a", "b");
        _ = await site["a"].ApplyAsync(FleetSite.Saying("two"));
        await site.AllSayAsync("two");
        await site.StopAsync("b");
        await using (PausedServer paused = await PausedServer.StopAsync(fixture.Server!))
        {
            _ = await site.ViewAsync("a", "that the database is away", v => !FleetSite.IsConnected(v));
            Assert.Equal(HttpStatusCode.OK, (await site["a"].PostAsync("/admin/rollback", "")).Status);
            await site.StopAsync("a", kill: true);
            await paused.StartAsync();
        }
        _ = await site.StartAsync("b", null);
        _ = await site["b"].ApplyAsync(FleetSite.Saying("three"));
        _ = await site.StartAsync("a", null);
        await site.AllSayAsync("three");
    }

    [Fact]
    public async Task AReplicaThatWasDownDuringAChange_CatchesUpBeforeItSaysReady()
    {
        await using FleetSite site = new(fixture);
        await site.StartAllAsync("a", "b");
        await site.StopAsync("b", kill: true);
        _ = await site["a"].ApplyAsync(FleetSite.Saying("two"));
        _ = await site["a"].ApplyAsync(FleetSite.Saying("three"));
        _ = await site.StartAsync("b", null);
        await site.AllSayAsync("three");
        // Its file is for its first start; what the fleet wants counts, also over an edit that was made while it was down.
        await site.StopAsync("b", kill: true);
        _ = await site.StartAsync("b", "edited while down");
        await site.AllSayAsync("three");
        // An edit while it runs is a change as any.
        site["b"].EditConfigFile(FleetSite.Saying("edited"));
        await site.AllSayAsync("edited");
    }

    [Fact]
    public async Task ConcurrentChangesAtDifferentReplicas_EndInOneOrderForAll()
    {
        await using FleetSite site = new(fixture);
        await site.StartAllAsync("a", "b", "c");
        const int Each = 5;
        async Task ApplyAsync(string replica)
        {
            for (int i = 0; i < Each; i++) _ = await site[replica].ApplyAsync(FleetSite.Saying($"{replica}{i}"));
        }
        await Task.WhenAll(ApplyAsync("a"), ApplyAsync("b"), ApplyAsync("c"));
        JsonElement view = await site.ViewAsync("a", "all in step", v => FleetSite.InStep(v, 3) && v.GetProperty("desired").GetProperty("sequence").GetInt32() == 1 + (3 * Each));
        string last = await FleetSite.TextAsync(site[view.GetProperty("desired").GetProperty("replica").GetString()!]);
        await site.AllSayAsync(last);
        // Each one's history has the changes in the fleet's order, whichever of them it skipped.
        Dictionary<long, string> order = (await site["a"].GetAsync("/admin/fleet/history?limit=100")).Json.GetProperty("entries").EnumerateArray()
            .ToDictionary(static e => e.GetProperty("sequence").GetInt64(), static e => e.GetProperty("version").GetString()!);
        Assert.Equal(1 + (3 * Each), order.Count);
        foreach (string replica in site.Running)
        {
            (long Sequence, string Version)[] seen = [.. (await site[replica].GetAsync("/admin/history?limit=100&result=applied")).Json.GetProperty("entries").EnumerateArray()
                .Where(static e => e.TryGetProperty("fleetSequence", out _)).Select(static e => (e.GetProperty("fleetSequence").GetInt64(), e.GetProperty("version").GetString()!)).Reverse()];
            Assert.Equal(seen.Select(static s => s.Sequence).Order(), seen.Select(static s => s.Sequence));
            Assert.All(seen, s => Assert.Equal(order[s.Sequence], s.Version));
            Assert.Equal(1 + (3 * Each), seen[^1].Sequence);
        }
        // What another replica has changed meanwhile is not overwritten by who did not see it.
        string seenByA = order[1 + (3 * Each)];
        _ = await site["b"].ApplyAsync(FleetSite.Saying("newer"));
        Assert.Equal(HttpStatusCode.PreconditionFailed, (await site["a"].TryApplyAsync(FleetSite.Saying("older"), ifMatch: $"\"{seenByA}\"")).Status);
    }

    [Fact]
    public async Task AReplicaThatCannotApplyAChange_SaysSo_AndWhatNobodyCanBindIsNobodys()
    {
        await using FleetSite site = new(fixture);
        await site.StartAllAsync("a", "b");
        using var taken = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        string bound = FleetSite.Saying("two").Replace("127.0.0.1:0", taken.LocalEndpoint.ToString(), StringComparison.Ordinal);
        AdminAnswer refused = await site["a"].TryApplyAsync(bound);
        Assert.Equal(HttpStatusCode.BadRequest, refused.Status);
        await site.AllSayAsync("file");
        Assert.Equal(1, (await site["b"].GetAsync("/admin/fleet/history")).Json.GetProperty("entries").GetArrayLength());

        // The same machine has one such port: whoever binds it first keeps the other out.
        taken.Stop();
        _ = await site["a"].ApplyAsync(bound);
        JsonElement view = await site.ViewAsync("a", "that b has failed", v => FleetSite.StateOf(v, "b") == "failed");
        Assert.Contains("address", FleetSite.Of(view, "b").GetProperty("error").GetString(), StringComparison.OrdinalIgnoreCase);
        Assert.Equal((true, false), (FleetSite.Of(view, "a").GetProperty("inStep").GetBoolean(), FleetSite.Of(view, "b").GetProperty("inStep").GetBoolean()));
        Assert.Equal("file", await FleetSite.TextAsync(site["b"]));
        Assert.Matches("b +.* no +failed +listeners", (await site["b"].CtlAsync("fleet")).Out);
        // The next change reaches it again.
        _ = await site["a"].ApplyAsync(FleetSite.Saying("three"));
        await site.AllSayAsync("three");
    }

    [Theory]
    [InlineData("--fleet", "Host=127.0.0.1;Password=x", "--fleet-file")]
    [InlineData("--fleet", "Hoost=127.0.0.1", "not a connection string")]
    [InlineData("--fleet", "Database=x", "names no host")]
    [InlineData("--fleet-file", "/nonexistent", "cannot be read")]
    public async Task WhatIsWrongWithTheOptions_IsSaidAtTheStart(string option, string value, string expected)
    {
        using var folder = new TempFolder();
        CommandResult result = await GatewayProcess.RunAsync("run", "--config", folder.Write("gateway.json", FleetSite.Saying("x")), "--admin", "off", "--data-dir", folder["data"], option, value);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(expected, result.Both, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AGatewayByItself_HasNoFleet()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(FleetSite.Saying("x"));
        Assert.Equal(HttpStatusCode.NotFound, (await gateway.GetAsync("/admin/fleet")).Status);
        Assert.Contains("--fleet", (await gateway.CtlAsync("fleet")).Error, StringComparison.Ordinal);
    }

    /// <summary>The fixture's server while it is stopped; it runs again afterwards, whatever came of the test.</summary>
    private sealed class PausedServer : IAsyncDisposable
    {
        private readonly PostgresServer _server;
        private bool _runs;

        private PausedServer(PostgresServer server) => _server = server;

        public static async Task<PausedServer> StopAsync(PostgresServer server)
        {
            await server.StopAsync();
            return new PausedServer(server);
        }

        public async Task StartAsync()
        {
            await _server.StartAgainAsync();
            _runs = true;
        }

        public async ValueTask DisposeAsync()
        {
            if (!_runs) await StartAsync();
        }
    }
}
