using System.Net;
using System.Net.Sockets;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Store;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Apply;

public sealed class ApplyQueueTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private ControlRig _rig = null!;

    public async ValueTask InitializeAsync()
    {
        _rig = new ControlRig(_folder);
        Assert.True((await _rig.StartAsync(ControlRig.Respond("file"))).Started);
    }

    public async ValueTask DisposeAsync()
    {
        await _rig.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task AnApply_IsLive_Recorded_Audited_AndStoredByteForByte()
    {
        string text = ControlRig.Respond("one") + "\n\n";
        ApplyResult result = await _rig.ApplyAsync(text);
        Assert.Equal(ApplyOutcome.Applied, result.Outcome);
        Assert.Equal("one", _rig.Serves);
        Assert.Equal(result.Version, _rig.Queue.Live!.Version);
        HistoryRecord last = _rig.Store.LastApplied!;
        Assert.Equal((result.Version, "admin", "token"), (last.Version, last.Source, last.Actor));
        Assert.Equal(text, System.Text.Encoding.UTF8.GetString(_rig.Queue.ReadLive(_rig.Queue.Live)));
        Assert.Equal("applied", _rig.Audit.Newest(1)[0].GetProperty("result").GetString());
    }

    [Fact]
    public async Task TheLiveVersionAgain_InOtherWords_PublishesNothing()
    {
        _ = await _rig.ApplyAsync(ControlRig.Respond("one"));
        object? snapshot = _rig.Host.Current;
        ApplyResult again = await _rig.ApplyAsync(ControlRig.Respond("one").Replace(" ", "  ", StringComparison.Ordinal), ifMatch: ["stale"]);
        Assert.Equal(ApplyOutcome.Unchanged, again.Outcome);
        Assert.Same(snapshot, _rig.Host.Current);
        Assert.Equal(2, _rig.Store.History().Length);
    }

    [Fact]
    public async Task IfMatch_LetsThroughTheLiveVersionAlone()
    {
        string version = _rig.Queue.Live!.Version;
        Assert.Equal(ApplyOutcome.Stale, (await _rig.ApplyAsync(ControlRig.Respond("one"), ifMatch: ["no", "nor this"])).Outcome);
        Assert.Equal("file", _rig.Serves);
        Assert.Equal(ApplyOutcome.Applied, (await _rig.ApplyAsync(ControlRig.Respond("one"), ifMatch: ["no", version])).Outcome);
        Assert.Equal(ApplyOutcome.Stale, (await _rig.ApplyAsync(ControlRig.Respond("two"), ifMatch: [version])).Outcome);
        Assert.Equal("one", _rig.Serves);
    }

    [Fact]
    public async Task OfManyAppliesOnOneVersion_ExactlyOneWins()
    {
        string version = _rig.Queue.Live!.Version;
        ApplyResult[] results = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => _rig.ApplyAsync(ControlRig.Respond($"n{i}"), ifMatch: [version])));
        ApplyResult winner = Assert.Single(results, r => r.Outcome == ApplyOutcome.Applied);
        Assert.All(results.Where(r => r != winner), r => Assert.Equal(ApplyOutcome.Stale, r.Outcome));
        Assert.Equal(winner.Version, _rig.Host.Current!.Version);
    }

    [Fact]
    public async Task Applies_AreTakenInTheOrderInWhichTheyCame()
    {
        ApplyResult[] results = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => _rig.ApplyAsync(ControlRig.Respond($"n{i}"))));
        Assert.Equal(results.Select(r => r.Version), _rig.Store.History().Skip(1).Select(r => r.Version));
        Assert.Equal("n19", _rig.Serves);
    }

    [Fact]
    public async Task ABrokenDocument_ChangesNothing_AndIsRecordedAsRejected()
    {
        object? snapshot = _rig.Host.Current;
        ApplyResult result = await _rig.ApplyAsync("""{ "version": "v1", "bogus": 1, "routes": [ { "name": "r", "pool": "none" } ] }""");
        Assert.Equal(ApplyOutcome.Rejected, result.Outcome);
        Assert.Contains(result.Errors, e => e.Path == "bogus");
        Assert.Same(snapshot, _rig.Host.Current);
        HistoryRecord record = _rig.Store.History()[^1];
        Assert.Equal((HistoryRecord.Rejected, null), (record.Result, record.Version));
        Assert.Equal("rejected", _rig.Audit.Newest(1)[0].GetProperty("result").GetString());
    }

    [Fact]
    public async Task AnAddressInUse_RejectsTheApply_AndChangesNothing()
    {
        using Socket taken = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        taken.Listen();
        object? snapshot = _rig.Host.Current;
        ApplyResult result = await _rig.ApplyAsync(ControlRig.Respond("one").Replace("127.0.0.1:0", taken.LocalEndPoint!.ToString(), StringComparison.Ordinal));
        Assert.Equal(ApplyOutcome.Rejected, result.Outcome);
        Assert.Equal(Config.ConfigErrorCodes.BindFailed, Assert.Single(result.Errors).Code);
        Assert.Same(snapshot, _rig.Host.Current);

        result = await _rig.ApplyAsync(ControlRig.Respond("one", $$""", "metrics": { "listener": "{{taken.LocalEndPoint}}" }"""));
        Assert.Equal(ApplyOutcome.Rejected, result.Outcome);
        Assert.Equal("metrics.listener", Assert.Single(result.Errors).Path);
        Assert.Same(snapshot, _rig.Host.Current);
    }

    [Fact]
    public async Task ADryRun_TakesEveryStepButThePublish_AndLeavesNoTrace()
    {
        ApplyResult good = await _rig.ApplyAsync(ControlRig.Respond("one"), dryRun: true);
        Assert.Equal(ApplyOutcome.Valid, good.Outcome);
        Assert.Equal(good.Version, (await _rig.ApplyAsync(ControlRig.Respond("one"))).Version);
        Assert.Equal(ApplyOutcome.Stale, (await _rig.ApplyAsync(ControlRig.Respond("two"), ifMatch: ["x"], dryRun: true)).Outcome);
        Assert.Equal(ApplyOutcome.Rejected, (await _rig.ApplyAsync("{}", dryRun: true)).Outcome);
        Assert.Equal(ApplyOutcome.Rejected, (await _rig.Queue.ValidateAsync(ControlRig.Document("{}"), CancellationToken.None)).Outcome);
        Assert.Equal(ApplyOutcome.Valid, (await _rig.Queue.ValidateAsync(ControlRig.Document(ControlRig.Respond("two")), CancellationToken.None)).Outcome);
        Assert.Equal(2, _rig.Store.History().Length);
        Assert.Equal("one", _rig.Serves);
    }

    [Fact]
    public async Task WhenTheStoreFails_AnApplyOverTheApiIsRefused_BeforeAnythingIsPublished()
    {
        string documents = _folder["data/configs"];
        Directory.Delete(documents, recursive: true);
        ApplyResult refused = await _rig.ApplyAsync(ControlRig.Respond("one"));
        Assert.Equal(ApplyOutcome.Failed, refused.Outcome);
        Assert.Equal("file", _rig.Serves);
        _ = Directory.CreateDirectory(documents);
        Assert.Equal(ApplyOutcome.Applied, (await _rig.ApplyAsync(ControlRig.Respond("one"))).Outcome);
    }

    [Fact]
    public async Task WhileTooManyReplacedSnapshotsAreInUse_AnApplyWaitsAndIsRefused_AndARollbackIsNot()
    {
        using Socket origin = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        origin.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        origin.Listen();
        List<Socket> asked = [];
        using HttpClient client = new(new SocketsHttpHandler { UseProxy = false });
        List<Task> waiting = [];
        string Slow(int i) => $$"""{ "version": "v1", "listeners": [ { "name": "web", "address": "127.0.0.1:0" } ], "routes": [ { "name": "r{{i}}", "pool": "p", "retry": { "attempts": 1 } } ], "pools": { "p": { "endpoints": [ { "address": "{{origin.LocalEndPoint}}" } ] } } }""";
        // Ten replaced snapshots in use are at the limit, eleven beyond it.
        for (int i = 0; i < 11; i++)
        {
            Assert.Equal(ApplyOutcome.Applied, (await _rig.ApplyAsync(Slow(i))).Outcome);
            waiting.Add(client.GetAsync($"http://{_rig.Host.Listeners()[0].BoundAddress}/"));
            asked.Add(await origin.AcceptAsync());
        }
        Assert.Equal(10, _rig.Host.RetiredSnapshots);
        Assert.Equal(ApplyOutcome.Applied, (await _rig.ApplyAsync(Slow(11))).Outcome);
        Assert.Equal(11, _rig.Host.RetiredSnapshots);
        object? snapshot = _rig.Host.Current;
        ApplyResult refused = await _rig.ApplyAsync(Slow(12));
        Assert.Equal(ApplyOutcome.Pressure, refused.Outcome);
        Assert.True(refused.Duration >= TimeSpan.FromSeconds(2), $"gave up after {refused.Duration}");
        Assert.Same(snapshot, _rig.Host.Current);

        Task<ApplyResult> patient = _rig.ApplyAsync(Slow(12));
        asked[0].Close();
        Assert.Equal(ApplyOutcome.Applied, (await patient).Outcome);
        waiting.Add(client.GetAsync($"http://{_rig.Host.Listeners()[0].BoundAddress}/"));
        asked.Add(await origin.AcceptAsync());
        Assert.Equal(ApplyOutcome.Applied, (await _rig.ApplyAsync(Slow(13))).Outcome);
        Assert.Equal(11, _rig.Host.RetiredSnapshots);
        Assert.Equal(ApplyOutcome.Applied, (await RollbackAsync(null)).Outcome);
        foreach (Socket socket in asked) socket.Dispose();
        await Eventually.Within("the requests end", Task.WhenAll(waiting));
    }

    [Fact]
    public async Task Rollback_GoesFurtherBackEachTime_AndNeverBackToWhatItLeft()
    {
        _ = await _rig.ApplyAsync(ControlRig.Respond("one"));
        _ = await _rig.ApplyAsync(ControlRig.Respond("two"));
        Assert.Equal(ApplyOutcome.Applied, (await RollbackAsync(null)).Outcome);
        Assert.Equal("one", _rig.Serves);
        _ = await RollbackAsync(null);
        Assert.Equal("file", _rig.Serves);
        ApplyResult end = await RollbackAsync(null);
        Assert.Equal(ApplyOutcome.UnknownVersion, end.Outcome);
        Assert.Equal("file", _rig.Serves);
        // A new apply after a rollback: what was live before it is the rollback's target, not what that had left.
        _ = await _rig.ApplyAsync(ControlRig.Respond("three"));
        _ = await RollbackAsync(null);
        Assert.Equal("file", _rig.Serves);
    }

    [Fact]
    public async Task Rollback_ToANamedVersion_TakesItWholeOrByAUniqueBeginning()
    {
        ApplyResult one = await _rig.ApplyAsync(ControlRig.Respond("one"));
        _ = await _rig.ApplyAsync(ControlRig.Respond("two"));
        Assert.Equal(ApplyOutcome.UnknownVersion, (await RollbackAsync(one.Version![..7])).Outcome);
        Assert.Equal(ApplyOutcome.UnknownVersion, (await RollbackAsync("../../etc/passwd")).Outcome);
        Assert.Equal("two", _rig.Serves);
        Assert.Equal(ApplyOutcome.Applied, (await RollbackAsync(one.Version[..8])).Outcome);
        Assert.Equal("one", _rig.Serves);
        Assert.Equal(ApplyOutcome.Unchanged, (await RollbackAsync(one.Version)).Outcome);
        Assert.Equal(("rollback", "rollback"), (_rig.Store.LastApplied!.Source, _rig.Queue.Live!.Origin.Source));
    }

    [Fact]
    public async Task AfterTheEnd_ChangesAreRefused()
    {
        await _rig.Queue.DisposeAsync();
        _ = await Assert.ThrowsAsync<ObjectDisposedException>(() => _rig.ApplyAsync(ControlRig.Respond("one")));
    }

    private Task<ApplyResult> RollbackAsync(string? version) => _rig.Queue.RollbackAsync(version, ControlRig.Admin with { Source = "rollback" }, CancellationToken.None);
}
