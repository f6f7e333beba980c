using Gateway.Config;
using Gateway.Core.Breaker;
using Gateway.Core.Retry;
using Gateway.DataPlane.Runtime;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

public sealed class BreakerTests
{
    private static readonly BreakerSettings Settings = new() { MinRequests = 5, Open = TimeSpan.FromMilliseconds(300), Probes = 2 };
    private const string Get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    private static CircuitBreaker BreakerOf(ProxyHost proxy) => proxy.Snapshots.Current!.Routes[0].State.Attempts!.Breaker!;

    private static async Task<RawResponse> AskAsync(RawHttpClient client)
    {
        await client.SendAsync(Get);
        return await client.ReadResponseAsync();
    }

    [Fact]
    public async Task AfterEnoughFailures_TheUpstreamIsLeftAlone_AndTheClientToldWhenToCome()
    {
        await using FaultOrigin origin = FaultOrigin.Start();
        origin.Become(Fault.Status(500));
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Breaker = Settings with { Open = TimeSpan.FromSeconds(90), MaxOpen = TimeSpan.FromSeconds(90) } });
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        for (int i = 0; i < 5; i++) Assert.Equal(500, (await AskAsync(client)).Status);
        RawResponse refused = await AskAsync(client);
        Assert.Equal(503, refused.Status);
        Assert.Contains("\"circuit_open\"", refused.Text, StringComparison.Ordinal);
        Assert.InRange(int.Parse(refused["Retry-After"]!, System.Globalization.CultureInfo.InvariantCulture), 60, 90);
        Assert.Equal(5, origin.Hits);
        Assert.Contains(proxy.Log.Entries, static e => e.Text.Contains("the breaker towards pool 'pool' is open", StringComparison.Ordinal));
    }

    public static TheoryData<OriginProtocol, Fault, int> Failures
    {
        get
        {
            var data = new TheoryData<OriginProtocol, Fault, int>();
            foreach (OriginProtocol protocol in Enum.GetValues<OriginProtocol>())
            {
                foreach (Fault fault in (Fault[])[Fault.ResetAt(0), Fault.ResetAt(20), Fault.Garbage, Fault.Refuse]) data.Add(protocol, fault, 502);
                foreach (Fault fault in (Fault[])[Fault.Hang, Fault.AcceptOnly, Fault.SlowHeaders(TimeSpan.FromMinutes(1))]) data.Add(protocol, fault, 504);
                data.Add(protocol, Fault.Status(503), 503);
                if (protocol is OriginProtocol.H2c or OriginProtocol.Https) data.Add(protocol, Fault.RefuseStream, 502);
            }
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task EveryWayOfFailing_Counts(OriginProtocol protocol, Fault fault, int status)
    {
        using var certificates = new TestCertificates();
        await using FaultOrigin origin = FaultOrigin.Start(protocol, certificates);
        origin.Become(fault);
        // Who does not answer has little time for it; who does, also on a machine that is busy.
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, FaultProtocols.Options(protocol, certificates) with
        {
            Breaker = Settings with { Open = TimeSpan.FromMinutes(1) },
            Attempt = status == 504 ? TimeSpan.FromMilliseconds(50) : TimeSpan.FromSeconds(10),
        });
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        for (int i = 0; i < 5; i++) Assert.Equal(status, (await AskAsync(client)).Status);
        Assert.Equal(1, BreakerOf(proxy).Opened);
        Assert.Contains("\"circuit_open\"", (await AskAsync(client)).Text, StringComparison.Ordinal);
        BreakerChange opened = Assert.Single(BreakerOf(proxy).Ledger.Changes);
        Assert.Equal((BreakerState.Open, BreakerCause.Failures, 5, 5), (opened.To, opened.Cause, opened.Requests, opened.Failures));
    }

    [Theory]
    [InlineData(UpstreamProtocol.Http1, "/abort?after=1000&gate=cut")]
    [InlineData(UpstreamProtocol.H2c, "/abort?after=1000&gate=cut")]
    [InlineData(UpstreamProtocol.Http1, "/half?gate=never")]
    [InlineData(UpstreamProtocol.H2c, "/half?gate=never")]
    public async Task AResponseThatIsCutOffInItsBody_Counts(UpstreamProtocol protocol, string target)
    {
        await using HttpOrigin origin = protocol == UpstreamProtocol.Http1 ? await HttpOrigin.StartAsync() : await HttpOrigin.StartH2cAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Protocol = protocol, Breaker = Settings, Idle = TimeSpan.FromMilliseconds(100) });
        // As many as are too few to say anything, and half of them.
        for (int i = 0; i < 4; i++) Assert.Equal(200, (await RawHttpClient.OnceAsync(proxy.Address, Get)).Status);
        for (int i = 1; i <= 4; i++)
        {
            await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
            await client.SendAsync($"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            Assert.Equal(200, (await client.ReadHeadAsync())!.Status);
            origin.Gate("cut").LetPass();
            _ = await client.ReadEndAsync();
            await Eventually.Until("it is counted", () => proxy.InFlight == 0 && proxy.Endpoints[0].State.Health.Counts.CutRun == i);
            Assert.Equal(i == 4 ? 1 : 0, BreakerOf(proxy).Opened);
        }
        Assert.Equal((8L, 4L, 4L), (proxy.Endpoints[0].State.Attempts, proxy.Endpoints[0].State.Failures, proxy.Snapshots.Current!.Pools[0].State.Cuts));
        Assert.NotEqual(0, proxy.Endpoints[0].State.Health.LastFailure.Status);
    }

    /// <summary>Stands still until it is told to go on.</summary>
    private sealed class StoppedTime : TimeProvider
    {
        private long _now = 1000 * System.TimestampFrequency;

        public override long GetTimestamp() => Volatile.Read(ref _now);

        public void Advance(TimeSpan by, long andTicks) => Interlocked.Add(ref _now, (long)(by.TotalSeconds * System.TimestampFrequency) + andTicks);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1000, false)]
    public async Task AResponseThatHasLastedForTenSeconds_IsCutOffByItsEnd_AndCountsForNothing(long ticksBeyond, bool counts)
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        var time = new StoppedTime();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Time = time, Breaker = Settings });
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        await client.SendAsync("GET /abort?after=1000&gate=cut HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.Equal(200, (await client.ReadHeadAsync())!.Status);
        time.Advance(TimeSpan.FromSeconds(10), ticksBeyond);
        origin.Gate("cut").LetPass();
        _ = await client.ReadEndAsync();
        await Eventually.Until("it is over", () => proxy.InFlight == 0 && proxy.RouteTotal() == 1);
        Assert.Equal((counts ? 1 : 0, counts ? 1L : 0L), (proxy.Endpoints[0].State.Health.Counts.CutRun, proxy.Snapshots.Current!.Pools[0].State.Cuts));
    }

    [Fact]
    public async Task AClientThatLeavesInTheBody_OrARequestsTimeThatEndsThere_CountsForNothing_AndAWholeResponseBreaksTheRun()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Breaker = Settings with { MinRequests = 1 }, Attempts = ProxyOptions.Plan(1, deadlineHeader: "X-Timeout") });
        for (int i = 1; i <= 3; i++)
        {
            await using RawHttpClient leaving = await RawHttpClient.ConnectAsync(proxy.Address);
            await leaving.SendAsync("GET /half?gate=never HTTP/1.1\r\nHost: a\r\n\r\n");
            Assert.Equal(200, (await leaving.ReadHeadAsync())!.Status);
        }
        await using (RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address))
        {
            await client.SendAsync("GET /half?gate=never HTTP/1.1\r\nHost: a\r\nX-Timeout: 200\r\n\r\n");
            Assert.Equal(200, (await client.ReadHeadAsync())!.Status);
            _ = await client.ReadEndAsync();
        }
        await Eventually.Until("all are over", () => proxy.RouteTotal() == 4 && proxy.InFlight == 0);
        Assert.Equal((0, 0L, BreakerState.Closed), (proxy.Endpoints[0].State.Health.Counts.CutRun, proxy.Endpoints[0].State.Failures, BreakerOf(proxy).State));

        proxy.Endpoints[0].State.Health.RecordCut(AttemptKind.Reset, 200);
        Assert.Equal(200, (await RawHttpClient.OnceAsync(proxy.Address, "GET /bytes/100000 HTTP/1.1\r\nHost: a\r\n\r\n")).Status);
        await Eventually.Until("the run is over", () => proxy.Endpoints[0].State.Health.Counts.CutRun == 0);
    }

    [Fact]
    public async Task AttemptsThatEndWhileConnecting_Count()
    {
        // TEST-NET-1 (RFC 5737): nobody answers.
        await using ProxyHost proxy = await ProxyHost.StartAsync("192.0.2.1:80", new ProxyOptions { Breaker = Settings with { MinRequests = 2 }, Attempt = TimeSpan.FromMilliseconds(100) });
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        for (int i = 0; i < 2; i++) Assert.InRange((await AskAsync(client)).Status, 502, 504);
        Assert.Equal(1, BreakerOf(proxy).Opened);
        Assert.Equal(2, proxy.Endpoints[0].State.Failures);
    }

    [Fact]
    public async Task AClientThatLeaves_OrThatWaitsTooShort_CountsForNothing()
    {
        await using FaultOrigin origin = FaultOrigin.Start();
        origin.Become(Fault.Hang);
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Breaker = Settings, Attempts = ProxyOptions.Plan(1, deadlineHeader: "X-Timeout") });
        for (int i = 0; i < 5; i++)
        {
            await using RawHttpClient leaving = await RawHttpClient.ConnectAsync(proxy.Address);
            await leaving.SendAsync(Get);
            await Eventually.Until("the origin has it", () => origin.Hits == i + 1);
        }
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        for (int i = 0; i < 5; i++)
        {
            await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\nX-Timeout: 5\r\n\r\n");
            Assert.Equal(504, (await client.ReadResponseAsync()).Status);
        }
        await Eventually.Until("all are over", () => proxy.RouteTotal() == 10);
        Assert.Equal(BreakerState.Closed, BreakerOf(proxy).State);
    }

    [Fact]
    public async Task ProbesThatAreAllCancelled_DoNotKeepItFromClosing()
    {
        await using FaultOrigin origin = FaultOrigin.Start();
        origin.Become(Fault.Status(500));
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Breaker = Settings });
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        for (int i = 0; i < 5; i++) await AskAsync(client);
        Assert.Equal(BreakerState.Open, BreakerOf(proxy).State);
        origin.Become(Fault.Hang);
        for (int i = 0; i < 6; i++)
        {
            // A probe that is let through is held by the origin until its client has gone.
            long hits = origin.Hits;
            await Eventually.Until("a probe is on its way", async () =>
            {
                await using RawHttpClient probe = await RawHttpClient.ConnectAsync(proxy.Address);
                await probe.SendAsync(Get);
                await Task.WhenAny(probe.ReadResponseAsync(), Eventually.Until("it arrives", () => origin.Hits > hits));
                return origin.Hits > hits;
            });
        }
        await Eventually.Until("the cancelled are over", () => proxy.InFlight == 0);
        origin.Become(Fault.None);
        await Eventually.Until("the breaker is closed", async () => (await AskAsync(client)).Status == 200 && BreakerOf(proxy).State == BreakerState.Closed);
    }

    [Fact]
    public async Task WhereTheBreakerHasJustOpened_NothingIsRetried()
    {
        await using FaultOrigin origin = FaultOrigin.Start();
        origin.Become(Fault.Status(500));
        ProxyOptions options = new() { Breaker = Settings with { Open = TimeSpan.FromMinutes(1) }, Attempts = ProxyOptions.Plan(3, RetryConditions.ServerError) };
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, options);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        Assert.Equal(500, (await AskAsync(client)).Status);
        Assert.Equal(500, (await AskAsync(client)).Status);
        Assert.Equal(5, origin.Hits);
    }

    [Fact]
    public void ARouteKeepsItsBreaker_WhileItsSettingsAndItsPoolStayTheSame()
    {
        var state = new RouteState("r", new DataPlane.Obs.RouteMetrics("r"));
        PoolModel Pool(string name, BreakerSettings? breaker) =>
            new(new PoolState(name, new DataPlane.Obs.PoolMetrics(name), TimeProvider.System), new EndpointPlan(new Core.Pool.Balancing(Core.Pool.BalancerKind.RoundRobin), 50), [], previous: null)
            {
                Protocol = Config.UpstreamProtocol.Http1,
                Breaker = breaker,
            };
        RouteAttempts first = state.AttemptsFor(ProxyOptions.Plan(2), Pool("p", Settings), TimeProvider.System);
        RouteAttempts other = state.AttemptsFor(ProxyOptions.Plan(3, budget: new RetryBudgetSettings(1, 1)), Pool("p", Settings with { }), TimeProvider.System);
        Assert.Same(first.Breaker, other.Breaker);
        Assert.NotSame(first.Budget, other.Budget);
        Assert.Same(other.Budget, state.AttemptsFor(ProxyOptions.Plan(2, budget: new RetryBudgetSettings(1, 1)), Pool("p", Settings with { Probes = 1 }), TimeProvider.System).Budget);
        Assert.NotSame(first.Breaker, state.Attempts!.Breaker);
        RouteAttempts before = state.Attempts;
        Assert.NotSame(before.Breaker, state.AttemptsFor(ProxyOptions.Plan(2), Pool("q", Settings with { Probes = 1 }), TimeProvider.System).Breaker);
        Assert.Null(state.AttemptsFor(ProxyOptions.Plan(2), Pool("q", null), TimeProvider.System).Breaker);
    }
}
