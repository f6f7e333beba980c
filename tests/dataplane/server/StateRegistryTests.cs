using Gateway.Config;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Server;

public sealed class StateRegistryTests : IAsyncLifetime
{
    private readonly RunningHost _running = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _running.DisposeAsync();

    private StateRegistry Registry => _running.Host.Registry;

    // One listener, one route, one pool, one endpoint, its connections.
    private static GatewayConfig Document(int n) =>
        CompilerTests.Document([CompilerTests.Route($"r{n}", $"p{n}")], ($"p{n}", CompilerTests.Pool($"127.0.0.1:{1000 + n}")));

    [Fact]
    public async Task AThousandApplies_LeaveOnlyWhatTheLastOneNeeds()
    {
        for (int i = 0; i < 1000; i++) await _running.ApplyAsync(Document(i % 50));
        await Settled(5);
        Assert.Equal(0, _running.Host.RetiredSnapshots);
        Assert.Single(_running.Host.Current!.ListenersBySlot);
    }

    [Fact]
    public async Task ListenersThatComeAndGo_LeaveNothing()
    {
        for (int i = 0; i < 30; i++) await _running.ApplyAsync(RunningHost.Listener($"l{i}"));
        await Settled(1);
        Assert.InRange(_running.Host.Current!.ListenersBySlot.Length, 1, 31);
        Assert.Equal(0, _running.Host.RetiredSnapshots);
    }

    [Fact]
    public async Task CandidateThatIsOnlyCompiled_LeavesNoTrace()
    {
        await _running.ApplyAsync(Document(0));
        string before = MetricsWithoutProcess();
        int states = Registry.Count;
        for (int i = 0; i < 10; i++) Assert.NotNull(_running.Host.Compile(Document(1), "v", "test").Snapshot);
        Assert.Equal(states, Registry.Count);
        Assert.Equal(before, MetricsWithoutProcess());
    }

    [Fact]
    public async Task CandidateWhoseAddressIsTaken_LeavesNoTrace_AndItsConnectionsAreDisposed()
    {
        await _running.ApplyAsync(Document(0));
        int states = Registry.Count;
        GatewayConfig bad = Document(1) with { Listeners = [RunningHost.Listener(address: "192.0.2.1:80")] };
        GatewaySnapshot candidate = _running.Host.Compile(bad, "bad", "test").Snapshot!;
        Assert.Single(await _running.Host.PublishAsync(candidate, CancellationToken.None));
        Assert.Equal(states, Registry.Count);
        Assert.True(candidate.Pools[0].Current.Endpoints[0].Upstream.Released);
        Assert.Equal("r0", Assert.Single(_running.Host.Current!.Routes).Name);
    }

    [Fact]
    public async Task StatesStay_WhileARequestHoldsARetiredSnapshot_AndGoWithIt()
    {
        await _running.ApplyAsync(Document(0));
        GatewaySnapshot held = _running.Host.Current!;
        await using RawHttpClient client = await _running.ConnectAsync();
        await client.SendAsync(Requests.Hold);
        await Eventually.Until("the request waits", () => _running.Held.Waiting == 1);
        await _running.ApplyAsync(Document(1));
        Assert.Equal(1, _running.Host.RetiredSnapshots);
        Assert.False(held.Pools[0].Current.Endpoints[0].Upstream.Released);
        _running.Held.Open();
        await client.ReadResponseAsync();
        await Eventually.Until("the retired snapshot is released", () => _running.Host.RetiredSnapshots == 0);
        await Settled(5);
        Assert.True(held.Pools[0].Current.Endpoints[0].Upstream.Released);
    }

    [Fact]
    public async Task EndpointInUse_OutlivesItsSnapshot_AndIsReleasedWhenItIsFree()
    {
        await _running.ApplyAsync(Document(0));
        EndpointModel endpoint = _running.Host.Current!.Pools[0].Current.Endpoints[0];
        // As a tunnel does: it has left the snapshot.
        endpoint.State.Load.Begin();
        endpoint.Upstream.Load.Begin();
        await _running.ApplyAsync(Document(1));
        await Settled(7);
        Assert.False(endpoint.Upstream.Released);
        // What comes back is the same, with its counts.
        await _running.ApplyAsync(Document(0));
        Assert.Same(endpoint.State, _running.Host.Current!.Pools[0].Current.Endpoints[0].State);
        Assert.Same(endpoint.Upstream, _running.Host.Current!.Pools[0].Current.Endpoints[0].Upstream);
        await _running.ApplyAsync(Document(1));
        endpoint.State.Load.End();
        endpoint.Upstream.Load.End();
        await Settled(5);
        Assert.True(endpoint.Upstream.Released);
    }

    [Fact]
    public async Task CandidateWhoseStatesWereReleasedMeanwhile_IsCompiledAgain()
    {
        await _running.ApplyAsync(Document(0));
        GatewaySnapshot stale = _running.Host.Compile(Document(0), "stale", "test").Snapshot!;
        await _running.ApplyAsync(Document(1));
        await Settled(5);
        Assert.True(stale.Pools[0].Current.Endpoints[0].Upstream.Released);
        Assert.Empty(await _running.Host.PublishAsync(stale, CancellationToken.None));
        Assert.Equal("stale", _running.Host.Current!.Version);
        Assert.NotSame(stale, _running.Host.Current);
        Assert.False(_running.Host.Current.Pools[0].Current.Endpoints[0].Upstream.Released);
        await Settled(5);
    }

    [Fact]
    public async Task TwoCandidatesThatBringTheSameNewPool_EndUpWithOneState()
    {
        GatewaySnapshot one = _running.Host.Compile(Document(0), "one", "test").Snapshot!;
        GatewaySnapshot two = _running.Host.Compile(Document(0), "two", "test").Snapshot!;
        Assert.Empty(await _running.Host.PublishAsync(one, CancellationToken.None));
        Assert.Empty(await _running.Host.PublishAsync(two, CancellationToken.None));
        Assert.Same(one.Pools[0].State, _running.Host.Current!.Pools[0].State);
        Assert.Equal("two", _running.Host.Current.Version);
        await Settled(5);
    }

    [Fact]
    public async Task PublishingTheLiveSnapshotAgain_ChangesNothing()
    {
        await _running.ApplyAsync(Document(0));
        Assert.Empty(await _running.Host.PublishAsync(_running.Host.Current!, CancellationToken.None));
        await _running.ApplyAsync(Document(1));
        await Settled(5);
    }

    [Fact]
    public async Task ASnapshotThatIsPublishedAgain_SharesAttemptsWithTheOneThatWasLive_AndWithTheNext()
    {
        static GatewayConfig Breaking(int percent) => CompilerTests.Document(
            [CompilerTests.Route("r", "p")], ("p", CompilerTests.Pool("127.0.0.1:1000") with { Breaker = new() { FailurePercent = percent } }));
        RouteAttempts Live() => _running.Host.Current!.Routes[0].SharedAttempts(TimeProvider.System);
        await _running.ApplyAsync(Breaking(50));
        GatewaySnapshot kept = _running.Host.Current!;
        RouteAttempts first = Live();
        await _running.ApplyAsync(Breaking(60));
        RouteAttempts second = Live();
        Assert.Same(first.Budget, second.Budget);
        Assert.NotSame(first.Breaker, second.Breaker);
        Assert.Empty(await _running.Host.PublishAsync(kept.Again("rollback"), CancellationToken.None));
        RouteAttempts again = Live();
        Assert.Equal(50, again.Breaker!.Settings.FailurePercent);
        Assert.Same(second.Budget, again.Budget);
        // What metrics show is what requests ask.
        Assert.Same(again, _running.Host.Current!.Routes[0].KnownAttempts);
        Assert.Same(again, _running.Host.Current!.Routes[0].State.Attempts);
        await _running.ApplyAsync(Breaking(50));
        Assert.Same(again.Breaker, Live().Breaker);
    }

    private Task Settled(int states) => Eventually.Until($"{states} states are live (now {Registry.Count})", () =>
    {
        Registry.Sweep();
        return Registry.Count == states;
    });

    private string MetricsWithoutProcess() => string.Join(
        '\n', RefusalTests.Scrape(_running).Split('\n').Where(line => !line.Contains("process_", StringComparison.Ordinal) && !line.Contains("dotnet_", StringComparison.Ordinal)));
}
