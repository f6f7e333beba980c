using Gateway.Config;
using Gateway.Core.Pool;
using Gateway.DataPlane.Health;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;
using Gateway.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Gateway.DataPlane.Tests.Health;

/// <summary>Probers of a pool over real sockets, in virtual time.</summary>
public sealed class ProbingTests : IAsyncLifetime
{
    private readonly VirtualTime _time = new();
    private readonly FaultOrigin[] _origins = [FaultOrigin.Start("a"), FaultOrigin.Start("b"), FaultOrigin.Start("c")];
    private readonly EndpointModel[] _endpoints;
    private readonly PoolState _state;
    private readonly HealthServices _services;
    private PoolMonitor? _monitor;

    public ProbingTests()
    {
        _state = new PoolState("p", new PoolMetrics("p"), _time);
        _services = new HealthServices(new GatewayMetrics(), _time, NullLogger.Instance);
        _endpoints = [.. _origins.Select(o => new EndpointModel
        {
            Address = o.Address,
            Weight = 1,
            State = new EndpointState("p", o.Address),
            Upstream = new HttpClientUpstream(new UpstreamSettings(o.Address, UpstreamProtocol.Http1, TimeSpan.FromSeconds(1), 0, 256, TimeSpan.FromSeconds(90), TimeSpan.Zero, null)),
        })];
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_monitor is not null)
        {
            _monitor.Stop();
            await _monitor.EndedAsync();
        }
        foreach (EndpointModel endpoint in _endpoints) endpoint.Upstream.Dispose();
        foreach (FaultOrigin origin in _origins) await origin.DisposeAsync();
    }

    private PoolModel Pool(int endpoints, ProbePlan? plan)
    {
        var pool = new PoolModel(_state, new EndpointPlan(new Balancing(BalancerKind.RoundRobin), 50), _endpoints[..endpoints], null)
        {
            Protocol = UpstreamProtocol.Http1,
            Health = new HealthPlan(null, null, plan),
        };
        _state.Attach(pool);
        return pool;
    }

    private IEnumerable<string> Changes(int endpoint) => _state.Ledger.Entries.Where(e => e.Endpoint == _origins[endpoint].Address).Select(e => $"{e.From} > {e.To}");

    private EndpointHealth Health(int endpoint) => _endpoints[endpoint].State.Health;

    /// <summary>Lets the next probe of each endpoint that is probed happen, one after the other. Jitter is less than an interval, so that is one of each.</summary>
    private async Task RoundAsync(int probed)
    {
        for (int i = 0; i < probed; i++)
        {
            await Eventually.Until("every prober waits for its time", () => _time.Waiting == probed);
            ProbeNote?[] before = [.. _endpoints.Select(e => e.State.Health.LastProbe)];
            _time.AdvanceToNext();
            await Eventually.Until("a probe has reported", () => !_endpoints.Select(e => e.State.Health.LastProbe).SequenceEqual(before));
        }
        await Eventually.Until("every prober waits for its time", () => _time.Waiting == probed);
    }

    [Fact]
    public async Task WhenProbingBegins_AllAreUsed_AndTheFirstProbeDecides()
    {
        _origins[1].Become(Fault.Status(500));
        PoolModel pool = Pool(3, ProbeTests.Http);
        _monitor = new PoolMonitor(pool, _services);
        Assert.All(_endpoints, e => Assert.True(e.State.Health.IsUsable));
        await RoundAsync(3);
        Assert.Equal((EndpointFaults.None, EndpointFaults.ProbeFailed), (Health(0).Faults, Health(1).Faults));
        LedgerEntry entry = Assert.Single(_state.Ledger.Entries);
        Assert.Equal((_origins[1].Address, "healthy", "unhealthy", "probe"), (entry.Endpoint, entry.From, entry.To, entry.Cause));
        Assert.Equal("GET /healthz: 500, expected 200-299, 404; 1 in a row (health.active.unhealthyAfter 3, the first decides alone)", entry.Detail);
    }

    [Fact]
    public async Task ThreeBadOnes_TwoGoodOnes()
    {
        _monitor = new PoolMonitor(Pool(2, ProbeTests.Http), _services);
        await RoundAsync(2);
        _origins[0].Become(Fault.Status(503));
        foreach (EndpointFaults expected in (EndpointFaults[])[EndpointFaults.None, EndpointFaults.None, EndpointFaults.ProbeFailed])
        {
            await RoundAsync(2);
            Assert.Equal(expected, Health(0).Faults);
        }
        _origins[0].Become(Fault.None);
        foreach (EndpointFaults expected in (EndpointFaults[])[EndpointFaults.ProbeFailed, EndpointFaults.None])
        {
            await RoundAsync(2);
            Assert.Equal(expected, Health(0).Faults);
        }
        Assert.Equal(["healthy > unhealthy", "unhealthy > healthy"], Changes(0));
        Assert.Equal((6, 6), (_origins[0].HitsAt("/healthz"), _origins[1].HitsAt("/healthz")));
    }

    [Fact]
    public async Task ANewEndpointAmongProbedOnes_WaitsForItsFirstProbe()
    {
        _origins[2].Become(Fault.Hang);
        _monitor = new PoolMonitor(Pool(2, ProbeTests.Http), _services);
        await RoundAsync(2);
        PoolModel next = Pool(3, ProbeTests.Http);
        _monitor.Follow(next);
        Assert.Equal(EndpointFaults.Unprobed, Health(2).Faults);
        await Eventually.Until("the set follows", () => !next.Current.Standings[2].IsUsed);
        // Its probe hangs until its timeout.
        await Eventually.Until("its first probe waits to begin", () => _time.Waiting == 3);
        _time.AdvanceToNext();
        await Eventually.Until("it is probed", () => _origins[2].Hits == 1);
        _time.AdvanceToNext();
        await Eventually.Until("its first probe has failed", () => Health(2).Faults == (EndpointFaults.Unprobed | EndpointFaults.ProbeFailed));
        Assert.Equal("no answer within 1s", Health(2).LastProbe!.Detail);
        _origins[2].Become(Fault.None);
        await RoundAsync(3);
        await RoundAsync(3);
        Assert.Equal(EndpointFaults.None, Health(2).Faults);
        Assert.Equal(["absent > healthy", "healthy > unprobed", "unprobed > unhealthy", "unhealthy > healthy"], Changes(2));
    }

    [Fact]
    public async Task TheSameSettingsAgain_DoNotDisturbAProber_OthersReplaceItAndKeepTheVerdict()
    {
        _origins[0].Become(Fault.Status(503));
        _monitor = new PoolMonitor(Pool(2, ProbeTests.Http), _services);
        await RoundAsync(2);
        for (int i = 0; i < 10; i++) _monitor.Follow(Pool(2, ProbeTests.Http with { Expected = new StatusRanges(["200-299", "404"]) }));
        Assert.Equal(1, _origins[0].Hits);
        Assert.True(_monitor.EndedAsync().IsCompletedSuccessfully);
        _monitor.Follow(Pool(2, ProbeTests.Http with { Path = "/other" }));
        await _monitor.EndedAsync();
        Assert.Equal(EndpointFaults.ProbeFailed, Health(0).Faults);
        _origins[0].Become(Fault.None);
        await RoundAsync(2);
        // One good probe is not two: what was known is not forgotten.
        Assert.Equal((1, EndpointFaults.ProbeFailed), (_origins[0].HitsAt("/other"), Health(0).Faults));
        await RoundAsync(2);
        Assert.Equal(EndpointFaults.None, Health(0).Faults);
    }

    [Fact]
    public async Task TurnedOff_NothingRunsAnyMore_AndNothingIsHeldAgainstAnybody()
    {
        _origins[0].Become(Fault.Status(503));
        _monitor = new PoolMonitor(Pool(2, ProbeTests.Http), _services);
        await RoundAsync(2);
        _monitor.Follow(Pool(2, null));
        await _monitor.EndedAsync();
        Assert.Equal((0, EndpointFaults.None, null), (_time.Waiting, Health(0).Faults, Health(0).LastProbe));
        Assert.Contains(_state.Ledger.Entries, e => e.Endpoint == _origins[0].Address && e.Detail == "is probed no more");
    }

    [Fact]
    public async Task Stopped_InTheMiddleOfAProbe_ItEndsAtOnce()
    {
        _origins[0].Become(Fault.Hang);
        _monitor = new PoolMonitor(Pool(1, ProbeTests.Http), _services);
        await Eventually.Until("its first probe waits to begin", () => _time.Waiting == 1);
        _time.Advance(TimeSpan.FromMilliseconds(100));
        await Eventually.Until("it is probed", () => _origins[0].Hits == 1);
        _monitor.Stop();
        await Eventually.Within("the prober's end", _monitor.EndedAsync());
        Assert.Null(Health(0).LastProbe);
    }
}
