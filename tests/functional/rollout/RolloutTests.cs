using System.Net;
using System.Text.Json;
using Gateway.Client;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Rollout;

/// <summary>Rollouts with the built executables: what a person can do with one, and what can happen to it.</summary>
public sealed class RolloutTests
{
    [Fact]
    public async Task AnEquivalentCandidate_GoesThroughItsStages_AndNoRequestFails()
    {
        await using RolloutSite site = await RolloutSite.StartAsync(RolloutSite.Quick);
        await using SteadyLoad load = site.Load();
        await load.MoreAsync(100);
        string candidate = site.Gateway.Folder.Write("next.json", site.Candidate(RolloutSite.Quick));
        CommandResult watched = await site.Gateway.CtlAsync("apply", candidate, "--rollout", "default", "--watch");
        await load.MoreAsync(100);
        Assert.True(watched.ExitCode == 0, watched.Both + site.Gateway.Logs());
        Assert.Matches(@"^rollout 1 running at 20%, stage 1 of 2, 1 s left\n(.*\n)*rollout 1 running at 50%, stage 2 of 2, .*\n(.*\n)*rollout 1 promoted: every stage passed\nROUTE +LIVE +FAILED +P95 +CANDIDATE +FAILED +P95\nshop +\d+ +0% +\d+\.\d ms +\d+ +0% +\d+\.\d ms\n$", watched.Out);
        Assert.Equal("other", await site.OriginAsync());
        Assert.All(load.Samples, static s => Assert.Equal(200, s.Status));
        JsonElement newest = (await site.Gateway.GetAsync("/admin/history")).Json.GetProperty("entries")[0];
        Assert.Equal(("admin", "applied", "rollout 1 ('default')", true), (newest.GetProperty("source").GetString(), newest.GetProperty("result").GetString(), newest.GetProperty("detail").GetString(), newest.GetProperty("live").GetBoolean()));
        MetricSamples metrics = await site.Gateway.MetricsAsync();
        Assert.Equal(2, metrics.Sum("gateway_rollout_stages_total", "stage=\"canary\"", "result=\"passed\""));
        Assert.Equal(1, metrics.Sum("gateway_rollout_stages_total", "stage=\"full\"", "result=\"passed\""));
        // The same again is live already.
        CommandResult again = await site.Gateway.CtlAsync("apply", candidate, "--rollout", "default", "--watch");
        Assert.StartsWith("already live: ", again.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PauseResumePromoteAbort_FromTheShell_WhileRequestsAreServedByBoth()
    {
        await using RolloutSite site = await RolloutSite.StartAsync(RolloutSite.Long);
        await using SteadyLoad load = site.Load(clients: 2, TimeSpan.FromMilliseconds(1));
        string candidate = site.Gateway.Folder.Write("next.json", site.Candidate(RolloutSite.Long));
        CommandResult begun = await site.Gateway.CtlAsync("apply", candidate, "--rollout", "default");
        Assert.Equal(0, begun.ExitCode);
        Assert.Matches("^rollout 1 of [0-9a-f]{64} begins; follow it with 'gatewayctl rollout watch 1'", begun.Out);
        await Eventually.Until("both serve", () => load.Samples.Select(static s => s.Origin).Distinct().Count() == 2);

        // The candidate is explained by its version, also where it is not whom a request would come to.
        string version = (await site.RolloutAsync("1")).GetProperty("version").GetString()!;
        foreach (string at in (string[])[version, version[..8]])
        {
            JsonElement explained = (await site.Gateway.PostAsync("/admin/explain", $$"""{ "url": "http://shop.test/", "at": "{{at}}" }""")).Json;
            Assert.Equal((version, site.Other.Address), (explained.GetProperty("version").GetString(), explained.GetProperty("pool").GetProperty("endpoints")[0].GetProperty("address").GetString()));
        }

        CommandResult plain = await site.Gateway.CtlAsync("apply", site.Gateway.Folder.Write("plain.json", RolloutSite.Document(site.Live.Address, RolloutSite.Long, "\"history\": { \"keep\": 7 }")));
        Assert.Equal(1, plain.ExitCode);
        Assert.Contains("rollout_running: rollout 1 ('default'", plain.Error, StringComparison.Ordinal);
        Assert.Contains("gatewayctl rollout abort 1", plain.Error, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Conflict, (await site.Gateway.TryApplyAsync(site.Candidate(RolloutSite.Quick), query: "?rollout=default")).Status);
        Assert.Equal(HttpStatusCode.OK, (await site.Gateway.TryApplyAsync(site.Candidate(RolloutSite.Quick), query: "?dryRun=true")).Status);

        Assert.Matches("^rollout 1 paused at 50%", (await site.Gateway.CtlAsync("rollout", "pause")).Out);
        Assert.Matches("^rollout 1 running at 50%", (await site.Gateway.CtlAsync("rollout", "resume", "1")).Out);
        CommandResult aborted = await site.Gateway.CtlAsync("rollout", "abort");
        Assert.Equal("rollout 1 aborted: aborted by token\n", aborted.Out);
        TimeSpan end = load.Now;
        await load.MoreAsync(100);
        Assert.All(load.Since(end), static s => Assert.Equal("live", s.Origin));
        CommandResult late = await site.Gateway.CtlAsync("rollout", "abort", "1");
        Assert.Equal(1, late.ExitCode);
        Assert.Contains("rollout 1 has ended already: it was aborted", late.Error, StringComparison.Ordinal);
        Assert.Contains("unknown_rollout", (await site.Gateway.CtlAsync("rollout", "show", "77")).Error, StringComparison.Ordinal);

        Assert.Equal("2", await site.BeginAsync(site.Candidate(RolloutSite.Long)));
        Assert.Equal("rollout 2 promoted: promoted by token\n", (await site.Gateway.CtlAsync("rollout", "promote")).Out);
        Assert.Equal("other", await site.OriginAsync());
        Assert.Equal(1, (await site.Gateway.CtlAsync("rollout", "watch", "1")).ExitCode);
        Assert.Equal(0, (await site.Gateway.CtlAsync("rollout", "watch")).ExitCode);
        Assert.Matches(@"(?s)ID +STARTED.*\n *2 .*promoted +full.*\n *1 .*aborted +canary", (await site.Gateway.CtlAsync("rollout", "list")).Out);
        Assert.Matches(@"(?s)^rollout   1 \('default'\), by token \(admin\)\n.*state     aborted: aborted by token\n", (await site.Gateway.CtlAsync("rollout", "show", "1")).Out);
        string audit = (await site.Gateway.CtlAsync("audit")).Out;
        Assert.All(new[] { "rollout_pause", "rollout_resume", "rollout_abort", "rollout_promote" }, action => Assert.Contains(action, audit, StringComparison.Ordinal));
        Assert.All(load.Samples, static s => Assert.Equal(200, s.Status));
    }

    [Fact]
    public async Task AChangeOfTheFile_WaitsForTheEnd_AndARollbackWaitsForNothing()
    {
        await using RolloutSite site = await RolloutSite.StartAsync(RolloutSite.Long);
        _ = await site.BeginAsync(site.Candidate(RolloutSite.Long));
        site.Gateway.EditConfigFile(RolloutSite.Document(site.Live.Address, RolloutSite.Long, "\"history\": { \"keep\": 7 }"));
        await Eventually.Until("the file waits", async () => (await site.Gateway.GetAsync("/readyz?verbose")).Text.Contains("waits for the rollout", StringComparison.Ordinal));
        Assert.Equal("running", (await site.RolloutAsync("1")).GetProperty("state").GetString());
        CommandResult back = await site.Gateway.CtlAsync("rollback");
        Assert.Matches("^rolled back to [0-9a-f]{64} from [0-9a-f]{12} in ", back.Out);
        Assert.Equal("rolled back by token", (await site.RolloutAsync("1")).GetProperty("reason").GetString());
        await Eventually.Until("the file is live", async () => (await site.Gateway.GetAsync("/admin/config")).Text.Contains("\"keep\": 7", StringComparison.Ordinal));
        Assert.Equal("live", await site.OriginAsync());
    }

    [Fact]
    public async Task AKilledGateway_ComesBackWithWhatWasLive_AndTellsOfTheRollout()
    {
        using var folder = new TempFolder();
        var options = new GatewayProcessOptions { Folder = folder };
        await using RolloutSite site = await RolloutSite.StartAsync(RolloutSite.Long, options);
        string before = (await site.Gateway.GetAsync("/admin/snapshot")).Json.GetProperty("version").GetString()!;
        _ = await site.BeginAsync(site.Candidate(RolloutSite.Long));
        await site.Gateway.KillAsync();
        await site.RestartAsync(options);
        Assert.Equal(before, (await site.Gateway.GetAsync("/admin/snapshot")).Json.GetProperty("version").GetString());
        for (int i = 0; i < 20; i++) Assert.Equal("live", await site.OriginAsync());
        JsonElement rollout = await site.RolloutAsync("1");
        Assert.Equal(("aborted", "the gateway was restarted"), (rollout.GetProperty("state").GetString(), rollout.GetProperty("reason").GetString()));
        Assert.Equal("2", await site.BeginAsync(site.Candidate(RolloutSite.Long)));
        // A gateway that is told to stop takes it back first, and says so to who listens.
        Task<CommandResult> watching = site.Gateway.CtlAsync("rollout", "watch", "2");
        await Eventually.Until("it is watched", () => site.Gateway.Descriptors > 0 && !watching.IsCompleted);
        Assert.Equal(0, await site.Gateway.StopAsync());
        CommandResult watched = await watching;
        Assert.True(watched.ExitCode == 1 && watched.Out.Contains("rollout 2 aborted: the gateway was stopped", StringComparison.Ordinal) || watched.ExitCode == 70, watched.Both);
    }

    [Fact]
    public async Task Events_AreToldAsTheyCome_InTheFormThatCurlAndBrowsersRead()
    {
        await using RolloutSite site = await RolloutSite.StartAsync(RolloutSite.Ticking);
        await using SteadyLoad load = site.Load(clients: 2, TimeSpan.FromMilliseconds(1));
        string id = await site.BeginAsync(site.Candidate(RolloutSite.Ticking));
        CommandResult curl = await Command.RunAsync(Tool.Require("curl"), "-sN", "--max-time", "50", "-H", $"Authorization: Bearer {site.Gateway.Token}", "-D", "-", new Uri(site.Gateway.AdminAddress, $"/admin/rollouts/{id}/events").ToString());
        Assert.Equal(0, curl.ExitCode);
        Assert.Contains("Content-Type: text/event-stream", curl.Out, StringComparison.OrdinalIgnoreCase);
        string[] events = [.. curl.Out.Split("\r\n\r\n", 2)[1].Split("\n\n", StringSplitOptions.RemoveEmptyEntries)];
        Assert.StartsWith("event: state\ndata: {\"id\":\"1\"", events[0], StringComparison.Ordinal);
        Assert.Contains(events, static e => e.Contains("event: tick\n", StringComparison.Ordinal) && e.Contains("\"candidate\":{\"requests\":", StringComparison.Ordinal));
        Assert.Contains(events, static e => e.Contains("event: stage\n", StringComparison.Ordinal) && e.Contains("\"percent\":50", StringComparison.Ordinal));
        Assert.Matches("^id: [0-9]+\nevent: state\ndata: .*\"state\":\"promoted\"", events[^1]);

        using var client = new GatewayClient(new GatewayClientOptions { Server = site.Gateway.AdminAddress, Token = site.Gateway.Token });
        RolloutEvent only = Assert.Single(await client.WatchRolloutAsync(id).ToListAsync());
        Assert.Equal(("state", "promoted"), (only.Kind, only.Rollout.State));
        Assert.Equal(404, (await Assert.ThrowsAsync<GatewayApiException>(async () => await client.WatchRolloutAsync("9").ToListAsync())).Status);
        Assert.Equal("1", Assert.Single((await client.GetRolloutsAsync()).Rollouts).Id);
    }

    [Fact]
    public async Task ASignedBundle_GoesThroughTheRolloutDefault_AndItsSequenceCountsWhenItIsLive()
    {
        using var folder = new TempFolder();
        Assert.Equal(0, (await Command.RunAsync(GatewayProcess.CtlExecutable, "bundle", "keygen", "--out", folder["k"])).ExitCode);
        await using RolloutSite site = await RolloutSite.StartAsync(RolloutSite.Long, new GatewayProcessOptions { Arguments = ["--public-key", folder["k.pub"]] });
        CommandResult signed = await Command.RunAsync(GatewayProcess.CtlExecutable, "bundle", "sign", "--key", folder["k.key"], "--sequence", "5", folder.Write("next.json", site.Candidate(RolloutSite.Long)), "-o", folder["five"]);
        Assert.True(signed.ExitCode == 0, signed.Both);
        Assert.Matches("^rollout 1 of ", (await site.Gateway.CtlAsync("bundle", "push", folder["five"])).Out);
        Assert.Contains("rollout_running", (await site.Gateway.CtlAsync("bundle", "push", folder["five"])).Error, StringComparison.Ordinal);
        _ = await site.Gateway.CtlAsync("rollout", "abort");
        // It was not live, so the same one may come again.
        AdminAnswer again = await site.Gateway.PostAsync("/admin/bundle", await File.ReadAllTextAsync(folder["five"]));
        Assert.Equal((HttpStatusCode.Accepted, "2"), (again.Status, again.Json.GetProperty("id").GetString()));
        _ = await site.Gateway.CtlAsync("rollout", "promote");
        Assert.Equal("other", await site.OriginAsync());
        Assert.Equal("bundle", (await site.Gateway.GetAsync("/admin/snapshot")).Json.GetProperty("source").GetString());
        Assert.Contains("stale_sequence", (await site.Gateway.CtlAsync("bundle", "push", folder["five"])).Error, StringComparison.Ordinal);
        Assert.Contains("unsigned_refused", (await site.Gateway.CtlAsync("apply", folder["next.json"], "--rollout", "default")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatCannotBeRolledOut_IsRefusedWithItsReason()
    {
        await using RolloutSite site = await RolloutSite.StartAsync(RolloutSite.Long);
        AdminAnswer unknown = await site.Gateway.TryApplyAsync(site.Candidate(RolloutSite.Long), query: "?rollout=careful");
        Assert.Equal((HttpStatusCode.BadRequest, "rollout: unknown_rollout"), (unknown.Status, Assert.Single(unknown.ErrorCodes)));
        string failing = site.Candidate(RolloutSite.Long).Replace("\"name\": \"shop\",", "\"name\": \"shop\", \"expect\": [ { \"request\": { \"url\": \"http://shop.test/\" }, \"route\": \"rest\" } ],", StringComparison.Ordinal);
        AdminAnswer refused = await site.Gateway.TryApplyAsync(failing, query: "?rollout=default");
        Assert.Equal(HttpStatusCode.BadRequest, refused.Status);
        Assert.EndsWith(": expect_failed", Assert.Single(refused.ErrorCodes), StringComparison.Ordinal);
        JsonElement record = (await site.Gateway.GetAsync("/admin/rollouts")).Json.GetProperty("rollouts")[0];
        Assert.Equal(("refused", "expect"), (record.GetProperty("state").GetString(), record.GetProperty("stage").GetString()));
        Assert.Equal(1, (await site.Gateway.MetricsAsync()).Sum("gateway_rollout_stages_total", "stage=\"expect\"", "result=\"failed\""));
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await site.Gateway.GetAsync("/admin/rollouts/1/abort")).Status);
        CommandResult usage = await site.Gateway.CtlAsync("apply", "x.json", "--watch");
        Assert.Equal((2, "gatewayctl: --watch needs --rollout.\nTry 'gatewayctl apply --help'.\n"), (usage.ExitCode, usage.Error));
    }
}
