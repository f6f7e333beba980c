using System.Net;
using System.Net.Sockets;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Rollout;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Apply;

/// <summary>A rollback waits for nothing that is not live yet: it takes its place.</summary>
public sealed class OvertakingTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private readonly Rollout.FakeCanary _canary = new();
    private ControlRig _rig = null!;

    public async ValueTask InitializeAsync()
    {
        _rig = new ControlRig(_folder, canary: _canary);
        Assert.True((await _rig.StartAsync(ControlRig.Respond("file"))).Started);
        Assert.True((await _rig.ApplyAsync(ControlRig.Respond("live"))).IsGood);
    }

    public async ValueTask DisposeAsync()
    {
        await _rig.DisposeAsync();
        _folder.Dispose();
    }

    // So long that only what does not wait at all is quicker: a warm-up takes three seconds, and what hangs never ends.
    private async Task<ApplyResult> BackAtOnceAsync(string? version = null)
    {
        ApplyResult result = await Eventually.Within("the rollback", _rig.RollBackAsync(version));
        Assert.Equal(ApplyOutcome.Applied, result.Outcome);
        Assert.InRange(result.LiveAfter ?? TimeSpan.Zero, TimeSpan.Zero, TimeSpan.FromSeconds(2));
        return result;
    }

    [Fact]
    public async Task AnApplyThatWaitsForANameServer_GivesWay_AndSoDoesWhatIsQueuedBehindIt()
    {
        using UdpClient silent = new(new IPEndPoint(IPAddress.Loopback, 0));
        string warms = ControlRig.Respond("warms", $$""", "pools": { "found": { "endpoints": [], "discovery": { "dns": "shop.test:80", "resolver": "{{silent.Client.LocalEndPoint}}" } } }""")
            .Replace("\"routes\": [", "\"routes\": [ { \"name\": \"found\", \"match\": { \"path\": { \"prefix\": \"/found\" } }, \"pool\": \"found\" },", StringComparison.Ordinal);
        Task<ApplyResult> first = _rig.ApplyAsync(warms), second = _rig.ApplyAsync(ControlRig.Respond("second"));
        _ = await Eventually.Within("the name server is asked", silent.ReceiveAsync());
        ApplyResult back = await BackAtOnceAsync();
        Assert.Equal(("file", "overtaken", "overtaken"), (_rig.Serves, (await first).ResultName, (await second).ResultName));
        Assert.Equal(back.Version, _rig.Queue.Live!.Version);
        Assert.DoesNotContain(_rig.Host.Pools(), static p => p.Name == "found");
        Assert.Equal(2, Directory.GetFiles(_folder["data/configs"]).Length);
        // And what comes after it is as ever.
        Assert.Equal(ApplyOutcome.Applied, (await _rig.ApplyAsync(ControlRig.Respond("second"))).Outcome);
    }

    [Fact]
    public async Task ARolloutThatWarmsUp_IsWhatIsTakenBack()
    {
        _canary.Warms = new TaskCompletionSource();
        Task<RolloutStart> start = _rig.RollOutAsync(ControlRig.Respond("candidate", Rollout.RolloutDirectorTests.Stages));
        await Eventually.Within("it warms up", _canary.Warms.Task);
        ApplyResult back = await BackAtOnceAsync();
        RolloutStart begun = await start;
        RolloutRecord record = Assert.Single(_rig.Rollouts.All());
        Assert.Equal(("live", ApplyOutcome.Overtaken, record.Version), (_rig.Serves, begun.Result.Outcome, back.From));
        Assert.Equal((RolloutState.Aborted, true, false), (record.State, record.Retry, record.HasFailed));
        _canary.Warms = null;
        Assert.Equal(ApplyOutcome.RollingOut, (await _rig.RollOutAsync(ControlRig.Respond("candidate", Rollout.RolloutDirectorTests.Stages))).Result.Outcome);
        // The next rollback takes that one back, and the one after it goes back from what is live.
        _ = await BackAtOnceAsync();
        Assert.Equal("live", _rig.Serves);
        _ = await BackAtOnceAsync();
        Assert.Equal("file", _rig.Serves);
    }

    [Fact]
    public async Task AnApplyThatHangsInTheSharedStore_GivesWay_AndIsNotPublishedWhenThatAnswers()
    {
        HangingStore store = new();
        _rig.Queue.Sharing = store;
        Task<ApplyResult> hangs = _rig.ApplyAsync(ControlRig.Respond("hangs"));
        await Eventually.Within("it hangs", store.Asked.Task);
        _ = await BackAtOnceAsync();
        Assert.Equal(("file", ApplyOutcome.Overtaken), (_rig.Serves, (await hangs).Outcome));
        Assert.False(await Eventually.Within("the store's answer", store.AnswerAsync()));
        Assert.Equal("file", _rig.Serves);
    }

    [Fact]
    public async Task ARollbackToNothing_TakesNothingAway()
    {
        HangingStore store = new();
        _rig.Queue.Sharing = store;
        Task<ApplyResult> hangs = _rig.ApplyAsync(ControlRig.Respond("hangs"));
        await Eventually.Within("it hangs", store.Asked.Task);
        Task<ApplyResult> back = _rig.RollBackAsync(new string('f', 64));
        Assert.True(await Eventually.Within("the store's answer", store.AnswerAsync()));
        Assert.Equal((ApplyOutcome.Applied, ApplyOutcome.UnknownVersion), ((await hangs).Outcome, (await back).Outcome));
        Assert.Equal("hangs", _rig.Serves);
    }

    /// <summary>A shared store that answers the first change when it is told to, and the others at once.</summary>
    private sealed class HangingStore : IChangeSharing
    {
        private readonly TaskCompletionSource _answers = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource<bool> _published = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string? RolloutSeen => null;
        public string? AwaySeen => null;
        public Task<string?> EndRolloutAsync(string reason) => Task.FromResult<string?>(null);

        public TaskCompletionSource Asked { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Whether the change is published then.</summary>
        public Task<bool> AnswerAsync()
        {
            _answers.SetResult();
            return _published.Task;
        }

        public async Task<Sharing> ShareAsync(SharedChange change, Func<Task<bool>> publish)
        {
            if (!Asked.TrySetResult()) return new Sharing(await publish() ? SharingResult.Shared : SharingResult.NotPublished, 2);
            await _answers.Task;
            bool published = await publish();
            _published.SetResult(published);
            return new Sharing(published ? SharingResult.Shared : SharingResult.NotPublished, 1);
        }
    }
}
