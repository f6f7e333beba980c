using System.Text;
using System.Text.Json;
using Gateway.Config;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Rollout;
using Gateway.ControlPlane.Store;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Rollout;

/// <summary>Rollouts from the request to their end, over the real queue and store, with a canary that sees what the test says.</summary>
public sealed class RolloutDirectorTests : IAsyncLifetime
{
    public const string Stages = """, "rollout": { "default": { "stages": [{ "percent": 1, "for": "30s" }, { "percent": 10, "for": "30s" }] } }""";

    private readonly TempFolder _folder = new();
    private readonly ManualTime _time = new();
    private readonly FakeCanary _canary = new();
    private ControlRig _rig = null!;

    public async ValueTask InitializeAsync()
    {
        _rig = new ControlRig(_folder, canary: _canary, time: _time);
        Assert.True((await _rig.StartAsync(ControlRig.Respond("file"))).Started);
    }

    public async ValueTask DisposeAsync()
    {
        await _rig.DisposeAsync();
        _folder.Dispose();
    }

    private static string Candidate(string body = "new") => ControlRig.Respond(body, Stages);

    private async Task<RolloutRecord> TickAsync(double seconds)
    {
        _time.Pass(seconds);
        await _rig.Rollouts.TickAsync();
        return _rig.Rollouts.All()[0];
    }

    [Fact]
    public async Task ThroughItsStages_ToBeLive_RecordedAsAnApply()
    {
        RolloutStart start = await _rig.RollOutAsync(Candidate());
        Assert.Equal(ApplyOutcome.RollingOut, start.Result.Outcome);
        Assert.Equal((RolloutState.Running, "canary", 1.0, "1"), (start.Record!.State, start.Record.Stage, start.Record.Percent, start.Record.Id));
        Assert.Equal(("file", 1.0), (_rig.Serves, _canary.Share));
        _canary.Serves(250);
        Assert.Equal(1, (await TickAsync(29)).Percent);
        Assert.Equal((1, 10.0), ((await TickAsync(1)).StageIndex, _canary.Share!.Value));
        Assert.Equal(RolloutState.Running, (await TickAsync(30)).State);
        Assert.Equal("0 of 200 requests that the candidate must have served at 10%", _rig.Rollouts.Running!.Reason);
        _canary.Serves(450);
        RolloutRecord end = await TickAsync(1);
        Assert.Equal((RolloutState.Promoted, "full", 100.0, "every stage passed"), (end.State, end.Stage, end.Percent, end.Reason));
        Assert.Equal(450, Assert.Single(end.Traffic).Candidate.Requests);
        Assert.Null(_rig.Rollouts.Running);

        Assert.Equal("new", _rig.Serves);
        HistoryRecord last = _rig.Store.LastApplied!;
        Assert.Equal((end.Version, "admin", "token", "rollout 1 ('default')"), (last.Version, last.Source, last.Actor, last.Detail));
        Assert.Equal(Candidate(), Encoding.UTF8.GetString(_rig.Queue.ReadLive(_rig.Queue.Live!)));
        Assert.Equal(["rollout", "apply", "rollout"], _rig.Audit.Newest(3).Select(static e => e.GetProperty("action").GetString()));
        Assert.False(_rig.Rollouts.IsFailed(end.Version));
    }

    [Fact]
    public async Task Worse_IsReturned_WithTheEvidence_AndLiveIsUntouched()
    {
        object? live = _rig.Host.Current;
        _ = await _rig.RollOutAsync(Candidate());
        _canary.Fails(14);
        RolloutRecord end = await TickAsync(3);
        Assert.Equal((RolloutState.Returned, 0.0), (end.State, end.Percent));
        Assert.Equal("route r: 100% of 14 candidate requests failed, 0% of 1400 live ones", end.Reason);
        Assert.Equal(("r", "errorRate", 14L), (end.Evidence!.Route, end.Evidence.Gate, end.Evidence.Candidate.Failures));
        Assert.Null(_canary.Share);
        Assert.Same(live, _rig.Host.Current);
        Assert.Single(_rig.Store.History());
        Assert.Single(Directory.GetFiles(_folder["data/configs"]));
        Assert.True(_rig.Rollouts.IsFailed(end.Version) && _rig.Rollouts.IsFailed(end.Digest));
        Assert.Equal(("gateway", "returned"), (_rig.Audit.Newest(1)[0].GetProperty("actor").GetString(), _rig.Audit.Newest(1)[0].GetProperty("result").GetString()));
        // A person may try again, and success clears the name.
        _ = await _rig.RollOutAsync(Candidate());
        _ = await ActAsync("2", RolloutAction.Promote);
        Assert.Equal("new", _rig.Serves);
        Assert.False(_rig.Rollouts.IsFailed(end.Version));
    }

    [Fact]
    public async Task WhileOneRuns_AppliesAndRolloutsAreRefusedNamingIt_AndDryRunsAreNot()
    {
        _ = await _rig.RollOutAsync(Candidate());
        ApplyResult plain = await _rig.ApplyAsync(ControlRig.Respond("plain"));
        Assert.Equal((ApplyOutcome.RolloutRunning, "rollout_running"), (plain.Outcome, plain.Errors[0].Code));
        Assert.Contains("rollout 1 ('default'", plain.Errors[0].Message, StringComparison.Ordinal);
        Assert.Contains("gatewayctl rollout abort 1", plain.Errors[0].Message, StringComparison.Ordinal);
        RolloutStart second = await _rig.RollOutAsync(Candidate("second"));
        Assert.Equal((null, ApplyOutcome.RolloutRunning), (second.Record, second.Result.Outcome));
        Assert.Equal(ApplyOutcome.Valid, (await _rig.ApplyAsync(ControlRig.Respond("plain"), dryRun: true)).Outcome);
        Assert.Equal("file", _rig.Serves);
        _ = await ActAsync("1", RolloutAction.Abort);
        Assert.Equal(ApplyOutcome.Applied, (await _rig.ApplyAsync(ControlRig.Respond("plain"))).Outcome);
    }

    [Fact]
    public async Task AChangeOfTheFile_WaitsForTheEnd_AndIsThenLive()
    {
        _ = await _rig.RollOutAsync(Candidate());
        _rig.File.Watch();
        await File.WriteAllTextAsync(_rig.ConfigFile, ControlRig.Respond("edited"));
        // Its waits are on the rig's clock, which tests pass by hand.
        await Eventually.Until("the file waits", () =>
        {
            _time.Pass(0.1);
            _rig.File.ReadNow();
            return _rig.File.Status.Errors is [{ Code: "not_applied" }];
        });
        Assert.Equal("file", _rig.Serves);
        _ = await ActAsync("1", RolloutAction.Promote);
        await Eventually.Until("the file is live", () => _rig.Serves == "edited");
        Assert.Equal(["file", "admin", "file"], _rig.Store.History().Select(static r => r.Source));
        Assert.DoesNotContain(_rig.Audit.Newest(100), static e => e.GetProperty("result").GetString() == "rollout_running");
    }

    [Fact]
    public async Task ARollback_TakesTheRunningRolloutBack_OrGoesFurtherWithAVersion()
    {
        string first = _rig.Queue.Live!.Version;
        _ = await _rig.ApplyAsync(ControlRig.Respond("one"));
        RolloutStart start = await _rig.RollOutAsync(Candidate());
        ApplyResult back = await _rig.RollBackAsync();
        Assert.Equal((ApplyOutcome.Applied, start.Record!.Version, _rig.Queue.Live!.Version), (back.Outcome, back.From, back.Version));
        RolloutRecord end = _rig.Rollouts.All()[0];
        Assert.Equal((RolloutState.Aborted, "rolled back by token", "one"), (end.State, end.Reason, _rig.Serves));
        Assert.True(_rig.Rollouts.IsFailed(end.Version));

        _ = await _rig.RollOutAsync(Candidate());
        Assert.Equal(ApplyOutcome.UnknownVersion, (await _rig.RollBackAsync("ffffffffffff")).Outcome);
        Assert.NotNull(_rig.Rollouts.Running);
        Assert.Equal(ApplyOutcome.Applied, (await _rig.RollBackAsync(first)).Outcome);
        Assert.Equal((null, "file", null), (_rig.Rollouts.Running, _rig.Serves, _canary.Share));
    }

    [Fact]
    public async Task PauseAndResume_HoldTheShare_AndAnEndedOneTakesNoOrders()
    {
        _ = await _rig.RollOutAsync(Candidate());
        _canary.Serves(1000);
        Assert.Equal(RolloutState.Paused, (await ActAsync("1", RolloutAction.Pause)).Record!.State);
        Assert.Equal((RolloutState.Paused, 1.0), ((await TickAsync(500)).State, _canary.Share!.Value));
        Assert.Equal(RolloutState.Running, (await ActAsync("1", RolloutAction.Resume)).Record!.State);
        Assert.Equal(10, (await TickAsync(30)).Percent);
        Assert.Equal(RolloutState.Promoted, (await ActAsync("1", RolloutAction.Promote)).Record!.State);
        Assert.Equal("new", _rig.Serves);
        RolloutAnswer late = await ActAsync("1", RolloutAction.Abort);
        Assert.True(late.IsEnded);
        Assert.Null((await ActAsync("7", RolloutAction.Abort)).Record);
        Assert.Equal(["rollout_promote", "apply", "rollout_resume", "rollout_pause"], _rig.Audit.Newest(4).Select(static e => e.GetProperty("action").GetString()));
    }

    [Fact]
    public async Task ACandidateThatFailsACheck_IsRefused_AndNothingBegins()
    {
        string failing = Candidate().Replace("\"routes\": [ {", "\"routes\": [ { \"expect\": [ { \"request\": { \"url\": \"http://x/\" }, \"status\": 404 } ],", StringComparison.Ordinal);
        RolloutStart start = await _rig.RollOutAsync(failing);
        Assert.Equal((ApplyOutcome.Rejected, "expect_failed"), (start.Result.Outcome, start.Result.Errors[0].Code));
        RolloutRecord record = Assert.Single(_rig.Rollouts.All());
        Assert.Equal((RolloutState.Refused, "expect", start.Result.Version), (record.State, record.Stage, record.Version));
        Assert.True(_rig.Rollouts.IsFailed(record.Version));
        Assert.Null(_canary.Share);
        // What cannot be read has no version, and what names no rollout is not one.
        Assert.Null((await _rig.RollOutAsync("{}")).Record);
        Assert.Equal("unknown_rollout", (await _rig.RollOutAsync(Candidate(), "other")).Result.Errors[0].Code);
        Assert.Single(_rig.Rollouts.All());
    }

    [Fact]
    public async Task WithoutStages_ItIsLiveAtOnce_AndTheLiveVersionAgainIsNoRollout()
    {
        string plain = ControlRig.Respond("new", """, "rollout": { "default": {} }""");
        RolloutStart start = await _rig.RollOutAsync(plain);
        Assert.Equal((RolloutState.Promoted, ApplyOutcome.Applied, "new"), (start.Record!.State, start.Result.Outcome, _rig.Serves));
        RolloutStart again = await _rig.RollOutAsync(plain);
        Assert.Equal((null, ApplyOutcome.Unchanged), (again.Record, again.Result.Outcome));
    }

    [Fact]
    public async Task ADocumentThatIsLaidOverTheFile_IsSoWhenItIsPromoted()
    {
        RolloutStart start = await _rig.RollOutAsync($$"""{ "version": "v1", "merge": "byName", "routes": [ { "name": "more", "match": { "path": { "prefix": "/more" } }, "respond": { "body": "more" } } ]{{Stages}} }""");
        Assert.Equal(ApplyOutcome.RollingOut, start.Result.Outcome);
        _ = await ActAsync("1", RolloutAction.Promote);
        Assert.Equal(["more", "r"], _rig.Host.Current!.Config.Routes.Select(static r => r.Name).Order());
        Assert.Equal(["admin", "file"], _rig.Queue.Live!.Layers.All.Select(static l => l.Source).Order());
    }

    [Fact]
    public async Task WhatCannotBegin_IsRefused_AndWhatCannotBeMadeLive_IsReturned()
    {
        _canary.Fault = new ConfigError("listeners[0].address", ConfigErrorCodes.BindFailed, "taken");
        RolloutStart refused = await _rig.RollOutAsync(Candidate());
        Assert.Equal((RolloutState.Refused, ApplyOutcome.Rejected), (refused.Record!.State, refused.Result.Outcome));
        _canary.Fault = null;
        _ = await _rig.RollOutAsync(Candidate());
        _canary.Fault = new ConfigError("listeners[0].address", ConfigErrorCodes.BindFailed, "taken");
        RolloutAnswer answer = await ActAsync("2", RolloutAction.Promote);
        Assert.Equal((RolloutState.Returned, ApplyOutcome.Rejected, null, "file"), (answer.Record!.State, answer.Result!.Outcome, _canary.Share, _rig.Serves));
        Assert.Contains("could not be made live", answer.Record.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhenTheCountsCannotBeRead_NothingIsServedThatNobodyWatches()
    {
        _ = await _rig.RollOutAsync(Candidate());
        _canary.IsBlind = true;
        RolloutRecord end = await TickAsync(1);
        Assert.Equal((RolloutState.Aborted, null), (end.State, _canary.Share));
        Assert.False(_rig.Rollouts.IsFailed(end.Version));
    }

    [Fact]
    public async Task ALookThatFails_TakesTheCandidateBack_AndTheNextRolloutIsWatchedAgain()
    {
        await _rig.DisposeAsync();
        _rig = new ControlRig(_folder, canary: _canary);
        await _rig.StartAsync();
        _rig.Rollouts.Start();
        string quick = ControlRig.Respond("new", """, "rollout": { "default": { "stages": [{ "percent": 1, "for": "0s" }, { "percent": 10, "for": "0s" }], "gates": { "minSamples": 10 } } }""");
        _canary.IsStuck = true;
        _ = await _rig.RollOutAsync(quick);
        _canary.Serves(100);
        await Eventually.Until("it is taken back", () => _rig.Rollouts.Running is null);
        RolloutRecord first = _rig.Rollouts.All()[0];
        Assert.Equal((RolloutState.Aborted, true, null), (first.State, first.Retry, _canary.Share));
        Assert.Contains("failed while it watched", first.Reason, StringComparison.Ordinal);
        _canary.IsStuck = false;
        _ = await _rig.RollOutAsync(quick);
        _canary.Serves(100);
        await Eventually.Until("the next stage", () => _canary.Share == 10);
        _canary.Serves(200);
        await Eventually.Until("the next one is live", () => _rig.Serves == "new");
        // A loop that had died would end this with its fault.
        await _rig.Rollouts.DisposeAsync();
    }

    [Fact]
    public async Task AStop_TakesItBack_AndAStartFindsLiveServing()
    {
        _ = await _rig.RollOutAsync(Candidate());
        await _rig.Rollouts.DisposeAsync();
        Assert.Equal((RolloutState.Aborted, "the gateway was stopped", null), (_rig.RolloutStore.All()[0].State, _rig.RolloutStore.All()[0].Reason, _canary.Share));
        await _rig.DisposeAsync();
        _rig = new ControlRig(_folder, canary: _canary, time: _time);
        await _rig.StartAsync();
        Assert.Equal("file", _rig.Serves);
        Assert.Equal("2", (await _rig.RollOutAsync(Candidate())).Record!.Id);
    }

    [Fact]
    public async Task AsManyRolloutsAreKept_AsTheHistoryKeeps()
    {
        string keep = Stages + """, "history": { "keep": 2 }""";
        _ = await _rig.ApplyAsync(ControlRig.Respond("live", """, "history": { "keep": 2 }"""));
        for (int i = 1; i <= 5; i++)
        {
            _ = await _rig.RollOutAsync(ControlRig.Respond($"n{i}", keep));
            _ = await ActAsync($"{i}", RolloutAction.Abort);
        }
        Assert.Equal(["5", "4"], _rig.Rollouts.All().Select(static r => r.Id));
        Assert.Equal(2, Directory.GetFiles(_folder["data/rollouts"]).Length);
    }

    [Fact]
    public async Task WhoListens_HearsEveryChange_AndASlowOneTheEnd()
    {
        using RolloutEvents.Reader reader = _rig.Rollouts.Events.Open("1", null)!, slow = _rig.Rollouts.Events.Open(null, null)!;
        _ = await _rig.RollOutAsync(Candidate());
        _canary.Serves(250);
        _ = await TickAsync(1);
        _ = await TickAsync(30);
        List<string> kinds = [];
        while (reader.Waiting.TryRead(out RolloutEvent? told)) kinds.Add(Encoding.UTF8.GetString(told.Frame.Span).Split('\n')[1]);
        Assert.Equal(["event: state", "event: tick", "event: stage"], kinds);
        for (int i = 0; i < 100; i++) _ = await TickAsync(0.01);
        _canary.Fails(300);
        _ = await TickAsync(1);
        RolloutEvent? last = null;
        int heard = 0;
        while (slow.Waiting.TryRead(out RolloutEvent? told)) (last, heard) = (told, heard + 1);
        Assert.InRange(heard, 1, 40);
        Assert.True(last!.IsLast);
        string[] lines = Encoding.UTF8.GetString(last.Frame.Span).Split('\n');
        Assert.Equal(["id: 104", "event: state"], lines[..2]);
        JsonElement data = JsonDocument.Parse(lines[2]["data: ".Length..]).RootElement;
        Assert.Equal(("returned", 300), (data.GetProperty("state").GetString(), data.GetProperty("traffic")[0].GetProperty("candidate").GetProperty("failures").GetInt32()));
        // One that comes back is told what it missed.
        using RolloutEvents.Reader back = _rig.Rollouts.Events.Open("1", 102)!;
        Assert.True(back.Waiting.TryRead(out RolloutEvent? missed));
        Assert.Equal(103, missed!.Sequence);
    }

    private Task<RolloutAnswer> ActAsync(string id, RolloutAction action) => _rig.Rollouts.ActAsync(id, action, ControlRig.Admin, CancellationToken.None);
}
