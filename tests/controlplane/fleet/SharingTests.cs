using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Rollout;
using Gateway.ControlPlane.Tests.Rollout;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Fleet;

/// <summary>What the queue and the director make of the fleet's answers.</summary>
public sealed class SharingTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private readonly ManualTime _time = new();
    private readonly FakeCanary _canary = new();
    private readonly FakeSharing _fleet = new();
    private ControlRig _rig = null!;

    public async ValueTask InitializeAsync()
    {
        _rig = new ControlRig(_folder, canary: _canary, time: _time);
        _rig.Queue.Sharing = _fleet;
        Assert.True((await _rig.StartAsync(ControlRig.Respond("file"))).Started);
    }

    public async ValueTask DisposeAsync()
    {
        await _rig.DisposeAsync();
        _folder.Dispose();
    }

    private int Audited(string result) => _rig.Audit.Newest(100).Count(e => e.GetProperty("result").GetString() == result);

    private async Task<RolloutRecord> TickAsync(double seconds)
    {
        _time.Pass(seconds);
        await _rig.Rollouts.TickAsync();
        return _rig.Rollouts.All()[0];
    }

    private Task<RolloutStart> BeginAsync() => _rig.RollOutAsync(ControlRig.Respond("new", """, "rollout": { "default": { "stages": [{ "percent": 10, "for": "30s" }] } }"""));

    [Theory]
    [InlineData(SharingResult.Unavailable, "fleet_unavailable")]
    [InlineData(SharingResult.Stale, "stale")]
    [InlineData(SharingResult.RolloutRunning, "rollout_running")]
    public async Task APromotionThatTheFleetCannotTakeNow_KeepsTheCandidateAtItsShare_AndIsTriedAgain(SharingResult why, string noted)
    {
        _ = await BeginAsync();
        _canary.Serves(1000);
        _fleet.Refusal = new Sharing(why, 7, "for now");
        for (int i = 0; i < 3; i++)
        {
            RolloutRecord waits = await TickAsync(31);
            Assert.Equal((RolloutState.Running, 10.0, "file"), (waits.State, _canary.Share!.Value, _rig.Serves));
            Assert.StartsWith("waits to be made live: ", waits.Reason, StringComparison.Ordinal);
        }
        Assert.Equal(1, Audited(noted));
        _fleet.Refusal = null;
        Assert.Equal(RolloutState.Promoted, (await TickAsync(1)).State);
        Assert.Equal("new", _rig.Serves);
    }

    [Fact]
    public async Task APromotionOfWhatTheFleetHasEnded_TakesTheCandidateBack_WithNothingAgainstItHere()
    {
        RolloutStart start = await BeginAsync();
        _fleet.Refusal = new Sharing(SharingResult.RolloutEnded, 0, "rollout 4 of the fleet was aborted: replica b: it was restarted");
        RolloutAnswer answer = await _rig.Rollouts.ActAsync("1", RolloutAction.Promote, ControlRig.Admin, CancellationToken.None);
        Assert.Equal((ApplyOutcome.RolloutEnded, RolloutState.Aborted, null), (answer.Result!.Outcome, answer.Record!.State, _canary.Share));
        Assert.Equal("file", _rig.Serves);
        Assert.False(_rig.Rollouts.IsFailed(start.Record!.Version));
    }

    [Fact]
    public async Task ARollbackWithoutAVersion_TakesBackWhatAnotherReplicaTries_AndGoesNoVersionFurther()
    {
        _ = await _rig.ApplyAsync(ControlRig.Respond("one"));
        _fleet.Elsewhere = "candidate";
        ApplyResult back = await _rig.RollBackAsync();
        Assert.Equal((ApplyOutcome.Applied, "candidate", _rig.Queue.Live!.Version, "one"), (back.Outcome, back.From, back.Version, _rig.Serves));
        Assert.Equal(ApplyOutcome.Applied, (await _rig.RollBackAsync()).Outcome);
        Assert.Equal("file", _rig.Serves);
    }

    [Theory]
    [InlineData(true, "rollout_running")]
    [InlineData(false, "fleet_unavailable")]
    public async Task AFileThatWaitsForTheFleet_IsWrittenDownOnce_AndIsAppliedWhenItMay(bool rollout, string noted)
    {
        if (rollout) _fleet.RolloutSeen = "rollout 3 of the fleet is running";
        else _fleet.AwaySeen = "refused";
        ApplyRequest edited = new(ControlRig.Document(ControlRig.Respond("edited")), new ChangeOrigin("file", _rig.ConfigFile, ""));
        for (int i = 0; i < 3; i++) Assert.Equal(noted, (await _rig.Queue.ApplyAsync(edited, CancellationToken.None)).ResultName);
        Assert.Equal(1, Audited(noted));
        // What was not seen yet the store says, and that is written down once too.
        (_fleet.RolloutSeen, _fleet.AwaySeen) = (null, null);
        _fleet.Refusal = new Sharing(rollout ? SharingResult.RolloutRunning : SharingResult.Unavailable, 0, "still");
        Assert.Equal(noted, (await _rig.Queue.ApplyAsync(edited, CancellationToken.None)).ResultName);
        Assert.Equal(1, Audited(noted));
        _fleet.Refusal = null;
        Assert.Equal(ApplyOutcome.Applied, (await _rig.Queue.ApplyAsync(edited, CancellationToken.None)).Outcome);
        Assert.Equal("edited", _rig.Serves);
    }

    [Fact]
    public async Task AConditionThatTheFleetDoesNotMeet_IsAnsweredWithTheFleetsVersion()
    {
        _fleet.Refusal = new Sharing(SharingResult.Stale, 9, "the fleet's version is abc since change 9");
        ApplyResult stale = await _rig.ApplyAsync(ControlRig.Respond("one"), ifMatch: [_rig.Queue.Live!.Version]);
        Assert.Equal((ApplyOutcome.Stale, "the fleet's version is abc since change 9"), (stale.Outcome, stale.Errors[0].Message));
    }

    [Fact]
    public async Task AChangeOfTheFleetThatMustNotBeTaken_IsRefused_AndAlsoTakesNoRolloutBack()
    {
        _ = await BeginAsync();
        ApplyRequest change = new(ControlRig.Document(ControlRig.Respond("evil")), new ChangeOrigin("fleet", "x", "b")) { Fleet = new FleetStamp(5, 1, "by x", "nobody signed it") };
        ApplyResult refused = await _rig.Queue.ApplyAsync(change, CancellationToken.None);
        Assert.Equal((ApplyOutcome.Unsigned, "unsigned_refused", "file"), (refused.Outcome, refused.Errors[0].Code, _rig.Serves));
        Assert.NotNull(_rig.Rollouts.Running);
    }
}
