using Gateway.Config;
using Gateway.Core.Outlier;
using Gateway.Core.Pool;
using Gateway.DataPlane.Health;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Runtime;
using Gateway.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Gateway.DataPlane.Tests.Health;

/// <summary>From the ends of attempts to the faults, the sets and the ledger of a pool, in virtual time.</summary>
public sealed class PoolMonitorTests
{
    private static readonly HealthPlan Plan = new(new PassiveSettings(3, TimeSpan.FromSeconds(10)), new OutlierSettings(), null);
    private static readonly AttemptResult Good = new(AttemptKind.Success, 200, 1000);
    private static readonly AttemptResult Timeout = new(AttemptKind.Timeout, 0, 1000);
    private static readonly AttemptResult ServerError = new(AttemptKind.ServerError, 503, 1000);

    private readonly VirtualTime _time = new();
    private readonly PoolState _state;
    private readonly HealthServices _services;

    public PoolMonitorTests() => (_state, _services) = (new PoolState("p", new PoolMetrics("p"), _time), new HealthServices(new GatewayMetrics(), _time, NullLogger.Instance));

    private EndpointModel[] Endpoints(int count) => [.. Enumerable.Range(0, count).Select(i => new EndpointModel
    {
        Address = $"10.0.0.{i}:80",
        Weight = 1,
        State = new EndpointState("p", $"10.0.0.{i}:80"),
        Upstream = null!,
    })];

    private PoolModel Pool(EndpointModel[] endpoints, HealthPlan? plan = null)
    {
        var pool = new PoolModel(_state, new EndpointPlan(new Balancing(BalancerKind.RoundRobin), 50), endpoints, null) { Protocol = UpstreamProtocol.Http1, Health = plan ?? Plan };
        _state.Attach(pool);
        return pool;
    }

    private static void Record(EndpointModel endpoint, AttemptResult result, int times = 1)
    {
        for (int i = 0; i < times; i++) endpoint.State.Record(result);
    }

    private static Task Until(EndpointModel endpoint, EndpointFaults faults) =>
        Eventually.Until($"{endpoint.Address} has faults {faults}", () => endpoint.State.Health.Faults == faults);

    private string Changes => string.Join("; ", _state.Ledger.Entries.Select(e => $"{e.Endpoint} {e.From} > {e.To}: {e.Cause}"));

    [Fact]
    public async Task ThirdAttemptWithoutAnAnswer_EjectsAtOnce_WithoutATick()
    {
        PoolModel pool = Pool(Endpoints(4));
        _ = new PoolMonitor(pool, _services);
        EndpointModel bad = pool.Current.Endpoints[1];
        Record(bad, Timeout, 2);
        Assert.Equal(EndpointFaults.None, bad.State.Health.Faults);
        Record(bad, Timeout);
        await Until(bad, EndpointFaults.Ejected);
        await Eventually.Until("the set follows", () => !pool.Current.Standings[1].IsUsed);
        LedgerEntry entry = Assert.Single(_state.Ledger.Entries);
        Assert.Same(entry, bad.State.Health.LastEntry);
        Assert.Equal("3 attempts in a row without an answer (health.passive.failures 3), the last: timeout; out for 10s, 1 of the pool are out", entry.Detail);
        Assert.Equal((_time.GetUtcNow(), _time.GetUtcNow() + TimeSpan.FromSeconds(10)), (entry.Time, entry.Until));
    }

    [Fact]
    public async Task ItComesBack_WithATickAfterItsTime()
    {
        PoolModel pool = Pool(Endpoints(4));
        var monitor = new PoolMonitor(pool, _services);
        EndpointModel bad = pool.Current.Endpoints[0];
        Record(bad, ServerError, 5);
        await Until(bad, EndpointFaults.Ejected);
        _time.Advance(TimeSpan.FromSeconds(29.9));
        monitor.Tick();
        Assert.Equal(EndpointFaults.Ejected, bad.State.Health.Faults);
        _time.Advance(TimeSpan.FromSeconds(0.1));
        monitor.Tick();
        Assert.Equal(EndpointFaults.None, bad.State.Health.Faults);
        Assert.Equal("10.0.0.0:80 healthy > ejected: consecutive_failures; 10.0.0.0:80 ejected > healthy: consecutive_failures", Changes);
    }

    [Fact]
    public async Task TheNextSnapshot_FindsEverythingAsItWas()
    {
        EndpointModel[] endpoints = Endpoints(4);
        var monitor = new PoolMonitor(Pool(endpoints), _services);
        Record(endpoints[2], Timeout, 3);
        await Until(endpoints[2], EndpointFaults.Ejected);
        Record(endpoints[3], ServerError, 4);
        PoolModel next = Pool([.. endpoints]);
        monitor.Follow(next);
        Assert.False(next.Current.Standings[2].IsUsed);
        // The run of before goes on.
        Record(endpoints[0], ServerError, 1);
        Record(endpoints[3], ServerError);
        await Eventually.Until("the fifth is decided on", () => _state.Ledger.Entries.Count == 2);
        // One in four is out already.
        Assert.EndsWith("10.0.0.3:80 healthy > healthy: consecutive_failures", Changes, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnEndpointThatIsRemovedWhileItIsOut_ComesBackClean()
    {
        EndpointModel[] endpoints = Endpoints(3);
        var monitor = new PoolMonitor(Pool(endpoints), _services);
        Record(endpoints[0], Timeout, 3);
        await Until(endpoints[0], EndpointFaults.Ejected);
        monitor.Follow(Pool(endpoints[1..]));
        Assert.Equal(EndpointFaults.None, endpoints[0].State.Health.Faults);
        Assert.Null(endpoints[0].State.Health.Watch);
        Assert.EndsWith("10.0.0.0:80 ejected > absent: apply", Changes, StringComparison.Ordinal);
        Assert.Equal("the document has it no more; what was known against it is forgotten, should it come back", _state.Ledger.Entries[^1].Detail);
        monitor.Follow(Pool([.. endpoints]));
        Assert.Equal(EndpointFaults.None, endpoints[0].State.Health.Faults);
        Assert.EndsWith("10.0.0.0:80 ejected > absent: apply; 10.0.0.0:80 absent > healthy: apply", Changes, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhoIsFoundAndWhoIsFoundNoMore_IsInTheLedger_ButNotWhoWasThereFromTheStart()
    {
        EndpointModel[] endpoints = Endpoints(4);
        PoolModel pool = Pool(endpoints[..2]);
        _ = new PoolMonitor(pool, _services);
        _state.Replace(pool, endpoints[1..3], "discovery");
        await Eventually.Until("both changes are noted", () => _state.Ledger.Entries.Count == 2);
        Assert.Equal("10.0.0.0:80 healthy > absent: discovery; 10.0.0.2:80 absent > healthy: discovery", Changes);
        Assert.Same(_state.Ledger.Entries[1], endpoints[2].State.Health.LastEntry);
        Record(endpoints[2], Timeout, 3);
        await Until(endpoints[2], EndpointFaults.Ejected);
        _state.Replace(pool, endpoints[..2], "discovery");
        await Eventually.Until("it is noted that it left while it was out", () => Changes.Contains("10.0.0.2:80 ejected > absent: discovery", StringComparison.Ordinal));
        Assert.Equal(EndpointFaults.None, endpoints[2].State.Health.Faults);
    }

    [Fact]
    public async Task APoolThatIsGone_SaysSoOfWhoWasOut()
    {
        EndpointModel[] endpoints = Endpoints(2);
        var monitor = new PoolMonitor(Pool(endpoints), _services);
        Record(endpoints[0], Timeout, 3);
        await Until(endpoints[0], EndpointFaults.Ejected);
        monitor.Stop();
        Assert.Contains(_state.Ledger.Entries, static e => e is { Endpoint: "10.0.0.0:80", From: "ejected", To: "absent", Detail: "the pool is gone; what was known against it is forgotten, should it come back" });
    }

    [Fact]
    public void WhoeverComesAndGoes_PushesNoEvidenceOut()
    {
        var ledger = new HealthLedger();
        ledger.Add(_time.GetUtcNow(), "e", "healthy", "ejected", "no_answer", "");
        for (int i = 0; i <= HealthLedger.MembershipCapacity; i++) ledger.AddMembership(_time.GetUtcNow(), $"m{i}", "absent", "healthy", "discovery", "");
        ledger.Add(_time.GetUtcNow(), "e", "ejected", "healthy", "no_answer", "");
        Assert.Equal(HealthLedger.MembershipCapacity + 2, ledger.Entries.Count);
        // One beyond what is kept has pushed out the first of its kind, and only that.
        Assert.Equal(["e", "m1"], ledger.Entries.Take(2).Select(static e => e.Endpoint));
        Assert.Equal((1L, 3L, HealthLedger.MembershipCapacity + 3L), (ledger.Entries[0].Sequence, ledger.Entries[1].Sequence, ledger.Entries[^1].Sequence));
    }

    [Fact]
    public async Task Stopped_ItDoesNothingMore()
    {
        EndpointModel[] endpoints = Endpoints(3);
        var monitor = new PoolMonitor(Pool(endpoints), _services);
        Record(endpoints[0], Timeout, 3);
        await Until(endpoints[0], EndpointFaults.Ejected);
        monitor.Stop();
        Record(endpoints[1], Timeout, 10);
        monitor.Tick();
        Assert.All(endpoints, e => Assert.Equal((EndpointFaults.None, null), (e.State.Health.Faults, e.State.Health.Watch)));
        Assert.Null(_state.Rebuilt);
    }

    [Fact]
    public void AttemptsThatSayNothingAboutTheEndpoint_AreCountedAndNotHeldAgainstIt()
    {
        EndpointModel endpoint = Endpoints(1)[0];
        Record(endpoint, new AttemptResult(AttemptKind.NotOfTheUpstream, 0, 1), 10);
        Record(endpoint, Good, 2);
        Record(endpoint, ServerError, 3);
        Record(endpoint, Timeout, 4);
        Assert.Equal((19L, 4L, 3L), (endpoint.State.Attempts, endpoint.State.Failures, endpoint.State.Health.Counts.Errors));
    }

    [Fact]
    public void TheLedger_KeepsTheLastEntries_AndCountsOn()
    {
        var ledger = new HealthLedger();
        for (int i = 0; i < HealthLedger.Capacity + 50; i++) ledger.Add(_time.GetUtcNow(), "e", "healthy", "ejected", "no_answer", "");
        Assert.Equal(HealthLedger.Capacity, ledger.Entries.Count);
        Assert.Equal((51L, HealthLedger.Capacity + 50L), (ledger.Entries[0].Sequence, ledger.Entries[^1].Sequence));
    }
}
