using System.Net;
using Gateway.Bundle;
using Gateway.ControlPlane.Pull;
using Gateway.ControlPlane.Tests.Bundles;
using Gateway.DataPlane.Tests.Health;
using Gateway.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Gateway.ControlPlane.Tests.Pull;

/// <summary>The puller before a distributor that the test plays, and a clock that it moves.</summary>
public sealed class BundlePullerTests : IAsyncLifetime
{
    private const string Broken = """{ "version": "v1", "listeners": [], "bogus": 1 }""";
    private static readonly string Expecting = """{ "version": "v1", "listeners": [ { "name": "web", "address": "127.0.0.1:0" } ], "routes": [ { "name": "r", "respond": { "body": "x" }, "expect": [ { "request": { "url": "http://a/" }, "status": 404 } ] } ] }""";

    private readonly TempFolder _folder = new();
    private readonly SigningKey _key = SigningKey.Generate();
    private readonly VirtualTime _time = new();
    private readonly FakeDistributor _distributor = new() { ETag = "\"1\"" };
    private readonly Rollout.FakeCanary _canary = new();
    private ControlRig _rig = null!;
    private BundlePuller _puller = null!;

    public async ValueTask InitializeAsync()
    {
        _rig = new ControlRig(_folder, verifier: new BundleVerifier([_key.Public], 1), signedOnly: true, canary: _canary);
        Assert.True((await _rig.StartAsync(ControlRig.Respond("file"))).Started);
        _puller = Puller();
    }

    public async ValueTask DisposeAsync()
    {
        await _puller.DisposeAsync();
        await _rig.DisposeAsync();
        _distributor.Dispose();
        _key.Dispose();
        _folder.Dispose();
    }

    private BundlePuller Puller(double random = 0.5)
    {
        PullOptions options = PullOptions.Load("http://distributor.test:9902", "10s", _folder.Write("token", " secret \n"), null, null);
        return new BundlePuller(options, new PullClient(options, _time, _distributor), _rig.Bundles, () => _rig.Store.BundleSequence, new PullMemory(_folder["data"], "judge"), _rig.Host.Metrics, () => random, _time, NullLoggerFactory.Instance) { Rollouts = _rig.Rollouts };
    }

    private Task<TimeSpan> PullAsync() => _puller.PullAsync(TestContext.Current.CancellationToken);

    private void Serve(string config, int sequence)
    {
        _distributor.Bundle = BundleMaker.Make(config, sequence, _key);
        _distributor.ETag = $"\"{sequence}\"";
    }

    [Fact]
    public async Task ANewBundle_IsAppliedOnce_AndNotSentAgain()
    {
        Serve(ControlRig.Respond("one"), 1);
        Assert.Equal(TimeSpan.FromSeconds(10), await PullAsync());
        Assert.Equal("one", _rig.Serves);
        Assert.Equal(("bundle", "pull", "distributor.test:9902"), (_rig.Queue.Live!.Origin.Source, _rig.Queue.Live.Origin.Actor, _rig.Queue.Live.Origin.From));
        _ = await PullAsync();
        Assert.Equal([(null, "wait=30", "Bearer secret"), ("\"1\"", "wait=30", "Bearer secret")], _distributor.Asked);
        Assert.Equal(1, _distributor.Downloads);
        Assert.True(_puller.Status.IsGood);
        Assert.Equal(_time.GetUtcNow() + TimeSpan.FromSeconds(10), _puller.Status.NextTry);
        Serve(ControlRig.Respond("two"), 2);
        _ = await PullAsync();
        Assert.Equal("two", _rig.Serves);
    }

    [Fact]
    public async Task ABundleInItsRollout_IsNotSentAgain_AndOneThatWasReturned_OnlyUnderAHigherSequence()
    {
        string staged = ControlRig.Respond("staged", Rollout.RolloutDirectorTests.Stages);
        Serve(staged, 1);
        _ = await PullAsync();
        _ = await PullAsync();
        Assert.Equal(("file", "1", 1), (_rig.Serves, Assert.Single(_rig.Rollouts.All()).Id, _distributor.Downloads));
        _canary.Fails(20);
        await _rig.Rollouts.TickAsync();
        _ = await PullAsync();
        Assert.Equal("returned", _puller.Status.Refused!.Code);
        Assert.Contains("100% of 20 candidate requests failed", _puller.Status.Refused.Reason, StringComparison.Ordinal);
        // Also sent again, and signed anew with the same sequence.
        _distributor.ETag = "\"again\"";
        _ = await PullAsync();
        _distributor.Bundle = BundleMaker.Make(System.Text.Encoding.UTF8.GetBytes(staged), 1, TimeProvider.System.GetUtcNow().AddHours(2), _key);
        _distributor.ETag = "\"anew\"";
        _ = await PullAsync();
        Assert.Single(_rig.Rollouts.All());
        // Somebody means it.
        Serve(staged, 2);
        _ = await PullAsync();
        Assert.Equal(("running", 2L), (Text(_rig.Rollouts.All()[0]), _rig.Rollouts.All()[0].BundleSequence));
        _ = await _rig.Rollouts.ActAsync("2", Gateway.ControlPlane.Rollout.RolloutAction.Abort, ControlRig.Admin, CancellationToken.None);

        Serve(ControlRig.Respond("good", Rollout.RolloutDirectorTests.Stages), 3);
        _ = await PullAsync();
        _canary.IsBlind = true;
        await _rig.Rollouts.TickAsync();
        Assert.Equal("aborted", Text(_rig.Rollouts.All()[0]));
        // The gateway's own trouble says nothing against it.
        _canary.IsBlind = false;
        _ = await PullAsync();
        Assert.Equal(("running", "4"), (Text(_rig.Rollouts.All()[0]), _rig.Rollouts.All()[0].Id));
        _ = await _rig.Rollouts.ActAsync("4", Gateway.ControlPlane.Rollout.RolloutAction.Promote, ControlRig.Admin, CancellationToken.None);
        _ = await PullAsync();
        Assert.Equal(("good", 3L), (_rig.Serves, _rig.Store.BundleSequence));
        Assert.True(_puller.Status.IsGood);
    }

    private static string Text(Gateway.ControlPlane.Rollout.RolloutRecord record) => record.State.ToString().ToLowerInvariant();

    [Theory]
    [InlineData(Broken, "unknown_field")]
    [InlineData(null, "expect_failed")]
    public async Task ABundleThatDoesNotPass_IsNotTriedAgain_AlsoAfterARestart_AndTheNextIs(string? config, string code)
    {
        Serve(config ?? Expecting, 1);
        Assert.Equal(TimeSpan.FromSeconds(10), await PullAsync());
        Assert.Equal("file", _rig.Serves);
        Assert.Equal(code, _puller.Status.Refused?.Code);
        int records = _rig.Store.History().Length;
        for (int i = 0; i < 3; i++) _ = await PullAsync();
        Assert.Equal(1, _distributor.Downloads);
        _puller = Puller();
        Assert.Equal(code, _puller.Status.Refused?.Code);
        _ = await PullAsync();
        Assert.Equal(1, _distributor.Downloads);
        // A server without entity tags sends it again and again.
        _distributor.ETag = null;
        for (int i = 0; i < 3; i++) _ = await PullAsync();
        Assert.Equal(4, _distributor.Downloads);
        Assert.Equal(records, _rig.Store.History().Length);
        Assert.False(_puller.Status.IsGood);
        Serve(ControlRig.Respond("two"), 2);
        _ = await PullAsync();
        Assert.Equal("two", _rig.Serves);
        Assert.True(_puller.Status.IsGood);
    }

    [Fact]
    public async Task ABundleThatIsAltered_ChangesNothing_AndIsRemembered()
    {
        byte[] good = BundleMaker.Make(ControlRig.Respond("one"), 1, _key);
        _distributor.Bundle = BundleMaker.Altered(good, static m => m.Replace("\"sequence\":1", "\"sequence\":7", StringComparison.Ordinal));
        _ = await PullAsync();
        Assert.Equal(BundleRefusalCodes.BadSignature, _puller.Status.Refused?.Code);
        _distributor.ETag = null;
        _ = await PullAsync();
        Assert.Equal("file", _rig.Serves);
        Assert.Single(_rig.Store.History());
        Assert.Equal(0, _rig.Store.BundleSequence);
    }

    [Fact]
    public async Task AfterARollback_TheBundleThatIsServed_DoesNotComeBack()
    {
        Serve(ControlRig.Respond("one"), 1);
        _ = await PullAsync();
        _ = await _rig.Queue.RollbackAsync(null, ControlRig.Admin with { Source = "rollback" }, TestContext.Current.CancellationToken);
        Assert.Equal("file", _rig.Serves);
        File.Delete(_folder["data/pull.json"]);
        _puller = Puller();
        _ = await PullAsync();
        Assert.Equal(2, _distributor.Downloads);
        Assert.Equal("file", _rig.Serves);
        Assert.True(_puller.Status.IsGood);
        Assert.DoesNotContain(_rig.Store.History(), static r => !r.IsApplied);
    }

    [Fact]
    public async Task AnOlderBundle_IsRefusedAsStale_AndRemembered()
    {
        Serve(ControlRig.Respond("five"), 5);
        _ = await PullAsync();
        Serve(ControlRig.Respond("four"), 4);
        _ = await PullAsync();
        _ = await PullAsync();
        Assert.Equal("five", _rig.Serves);
        Assert.Equal((BundleRefusalCodes.StaleSequence, 4), (_puller.Status.Refused?.Code, _puller.Status.Refused?.Sequence));
        Assert.Equal(2, _distributor.Downloads);
    }

    [Fact]
    public async Task WhileTheDistributorIsAway_ThePausesGrowToFiveMinutes_AndItIsSaidSinceWhen()
    {
        Serve(ControlRig.Respond("one"), 1);
        _ = await PullAsync();
        DateTimeOffset success = _time.GetUtcNow();
        _distributor.Instead = static () => throw new HttpRequestException("no route to host");
        List<double> pauses = [];
        for (int i = 0; i < 7; i++)
        {
            TimeSpan pause = await PullAsync();
            pauses.Add(pause.TotalSeconds);
            _time.Advance(pause);
        }
        // The random number is 0.5, which makes three quarters of 10, 20, 40 …
        Assert.Equal([7.5, 15, 30, 60, 120, 225, 225], pauses);
        PullStatus status = _puller.Status;
        Assert.Equal((7, success, "no route to host", false), (status.Failures, status.LastSuccess, status.LastError, status.IsGood));
        Assert.Contains("7 in a row", status.ToString(), StringComparison.Ordinal);
        _distributor.Instead = null;
        Assert.Equal(TimeSpan.FromSeconds(10), await PullAsync());
        Assert.Equal("one", _rig.Serves);
        Assert.True(_puller.Status.IsGood);
        Assert.Equal("no route to host", _puller.Status.LastError);
    }

    [Fact]
    public async Task AServerThatWaits_IsAskedForTheNextNewsAtOnce_AndOneThatAlwaysAnswersIsNot()
    {
        _distributor.Waits = true;
        Serve(ControlRig.Respond("one"), 1);
        Assert.Equal(TimeSpan.Zero, await PullAsync());
        Assert.Equal(TimeSpan.FromSeconds(10), await PullAsync());
        _distributor.ETag = null;
        Assert.Equal(TimeSpan.FromSeconds(10), await PullAsync());
        Serve(ControlRig.Respond("two"), 2);
        _distributor.ETag = null;
        Assert.Equal(TimeSpan.FromSeconds(10), await PullAsync());
        Assert.Equal("two", _rig.Serves);
    }

    public static TheoryData<string, HttpStatusCode> Failures() => new()
    {
        { "404", HttpStatusCode.NotFound }, { "give its token with --pull-token-file", HttpStatusCode.Unauthorized },
        { "redirects are not followed", HttpStatusCode.Found }, { "answered 500", HttpStatusCode.InternalServerError },
    };

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task AnAnswerThatIsNoBundle_IsAFailureThatSaysWhatToDo(string says, HttpStatusCode answer)
    {
        _distributor.Instead = () => new HttpResponseMessage(answer) { Headers = { RetryAfter = new System.Net.Http.Headers.RetryConditionHeaderValue(TimeSpan.FromSeconds(99)) } };
        Assert.Equal(TimeSpan.FromSeconds(99), await PullAsync());
        Assert.Contains(says, _puller.Status.LastError, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AnAnswerThatIsTooLarge_IsNotReadWhole(bool saysSo)
    {
        using var content = new EndlessStream();
        _distributor.Instead = () =>
        {
            var response = new HttpResponseMessage(HttpStatusCode.OK) { Content = new StreamContent(content) };
            if (saysSo) response.Content.Headers.ContentLength = BundleFile.MaxBytes + 1;
            return response;
        };
        _ = await PullAsync();
        Assert.Contains("more than 10485760 bytes", _puller.Status.LastError, StringComparison.Ordinal);
        Assert.InRange(content.Taken, 0, saysSo ? 0 : BundleFile.MaxBytes + (1 << 20));
    }

    [Fact]
    public async Task TheLoop_AsksAtOnceAndThenAtTheIntervals()
    {
        Serve(ControlRig.Respond("one"), 1);
        _puller.Start();
        await Eventually.Until("the first bundle is live", () => _rig.Serves == "one");
        for (int i = 2; i < 5; i++)
        {
            int asked = i;
            await Eventually.Until("it pauses", () => _time.Waiting == 1);
            _time.AdvanceToNext();
            await Eventually.Until($"request {asked}", () => _distributor.Asked.Count == asked);
        }
    }

    /// <summary>Never ends, and counts what was taken of it.</summary>
    private sealed class EndlessStream : Stream
    {
        public int Taken { get; private set; }
        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
        public override int Read(byte[] buffer, int offset, int count)
        {
            Taken += count;
            return count;
        }

        public override void Flush() { }
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
