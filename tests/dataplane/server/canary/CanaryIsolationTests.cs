using Gateway.Core.Rollout;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Server;

/// <summary>What a candidate's requests come to must not turn a live one away.</summary>
public sealed class CanaryIsolationTests : IAsyncLifetime
{
    private const string Pool = """ "p": { "endpoints": [{ "address": "ADDRESS" }], "breaker": { "minRequests": 5 }, "health": { "passive": { "failures": 3 } }, "outlier": { "consecutiveFailures": 3 } } """;

    private readonly CanaryRig _rig = new();
    private readonly FaultOrigin _origin = FaultOrigin.Start();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _rig.DisposeAsync();
        await _origin.DisposeAsync();
    }

    private string PoolOf(string more = "") => Pool.Replace("ADDRESS", _origin.Address, StringComparison.Ordinal).Replace("\"breaker\"", $"{more} \"breaker\"", StringComparison.Ordinal);

    private static string Route(string prefix, string more = "") => $$"""{ "name": "a", "match": { "path": { "prefix": "{{prefix}}" } }, "pool": "p", "retry": { "attempts": 1 } {{more}} }""";

    private async Task<(string Live, string Candidate)> UsersAsync(string document)
    {
        await _rig.BeginAsync(document, 50, CanaryRig.User);
        return (_rig.UserIn(100, below: 50), _rig.UserIn(50));
    }

    [Fact]
    public async Task BreakerThatTheCandidateOpens_IsItsOwn_AndSoAreTheEndpointsWell()
    {
        await _rig.ApplyAsync(CanaryRig.Document(Route("/"), PoolOf()));
        (string live, string candidate) = await UsersAsync(CanaryRig.Document(Route("/", ", \"timeouts\": { \"request\": \"20s\" }"), PoolOf()));
        _origin.BecomeAt("/bad", Fault.Status(500));
        List<int> statuses = [];
        for (int i = 0; i < 20; i++) statuses.Add((await _rig.GetAsync("/bad", candidate)).Status);
        Assert.Equal([500, 503], statuses.Distinct().Order());
        for (int i = 0; i < 20; i++) Assert.Equal(200, (await _rig.GetAsync("/good", live)).Status);
        Assert.Equal(503, (await _rig.GetAsync("/good", candidate)).Status);
        PoolModel pool = _rig.Host.Current!.Pools[0];
        Assert.Equal((EndpointFaults.None, 0L), (pool.Endpoints[0].State.Health.Faults, pool.Endpoints[0].State.Health.Counts.Errors));
        await _rig.Host.EndCanaryAsync();
        Assert.Equal(200, (await _rig.GetAsync("/good", candidate)).Status);
    }

    [Fact]
    public async Task PoolThatTheCandidateChanges_HasEndpointsOfItsOwn_WhoseEjectionIsTheirs()
    {
        await _rig.ApplyAsync(CanaryRig.Document(Route("/"), PoolOf()));
        (string live, string candidate) = await UsersAsync(CanaryRig.Document(Route("/"), PoolOf("\"slowStart\": \"1s\",")));
        _origin.BecomeAt("/bad", Fault.ResetAt(0));
        for (int i = 0; i < 20; i++) Assert.InRange((await _rig.GetAsync("/bad", candidate)).Status, 502, 503);
        for (int i = 0; i < 20; i++) Assert.Equal(200, (await _rig.GetAsync("/x", live)).Status);
        EndpointState own = _rig.Host.Store.Serving!.Canary!.Candidate.Pools[0].Endpoints[0].State, shared = _rig.Host.Current!.Pools[0].Endpoints[0].State;
        Assert.NotSame(own, shared);
        Assert.True(own.Failures > 0);
        Assert.Equal((EndpointFaults.None, 0L), (shared.Health.Faults, shared.Failures));
    }

    [Fact]
    public async Task AnEndpointThatDoesNotConnect_IsOutForBoth()
    {
        await using FaultOrigin second = FaultOrigin.Start("second");
        string pools = $$""" "p": { "endpoints": [{ "address": "{{_origin.Address}}" }, { "address": "{{second.Address}}" }], "loadBalancing": { "policy": "roundRobin" }, "health": { "passive": { "failures": 3 } } } """;
        await _rig.ApplyAsync(CanaryRig.Document(Route("/"), pools));
        (_, string candidate) = await UsersAsync(CanaryRig.Document(Route("/", ", \"timeouts\": { \"request\": \"20s\" }"), pools));
        second.Become(Fault.Refuse);
        await Eventually.Until("the endpoint is out", async () =>
        {
            await _rig.GetAsync("/x", candidate);
            return !_rig.Host.Current!.Pools[0].Endpoints[1].State.Health.IsUsable;
        });
        Assert.True(_rig.Host.Current!.Pools[0].Endpoints[0].State.Health.IsUsable);
    }

    [Fact]
    public async Task RequestsThatFillTheCandidatesLimit_LeaveTheLiveOnesTheirs()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        Gate gate = origin.Gate("hold");
        origin.Map("/held", http => gate.PassAsync(http.RequestAborted));
        string pools = $$""" "p": { "endpoints": [{ "address": "{{origin.Address}}" }] } """;
        const string Limit = ", \"overload\": { \"maxInflight\": 1, \"maxQueue\": 0 }";
        await _rig.ApplyAsync(CanaryRig.Document(Route("/", Limit), pools));
        (string live, string candidate) = await UsersAsync(CanaryRig.Document(Route("/", Limit), pools));
        Task<(int Status, string)> held = _rig.GetAsync("/held", candidate);
        await gate.WaitForArrivalAsync();
        Assert.Equal(503, (await _rig.GetAsync("/bytes/1", candidate)).Status);
        Assert.NotEqual(503, (await _rig.GetAsync("/bytes/1", live)).Status);
        gate.Open();
        Assert.Equal(200, (await held).Status);
    }

    [Fact]
    public async Task BudgetThatTheCandidateSpends_IsItsOwn()
    {
        const string Retry = ", \"timeouts\": { \"request\": \"20s\" }";
        string route = Route("/").Replace("\"retry\": { \"attempts\": 1 }", """ "retry": { "attempts": 2, "on": ["5xx"], "budget": { "percent": 0, "minPerSecond": 1 } } """, StringComparison.Ordinal);
        string pools = $$""" "p": { "endpoints": [{ "address": "{{_origin.Address}}" }] } """;
        await _rig.ApplyAsync(CanaryRig.Document(route, pools));
        (string live, string candidate) = await UsersAsync(CanaryRig.Document(route[..^2] + Retry + " }", pools));
        _origin.BecomeAt("/bad", Fault.Status(500));
        for (int i = 0; i < 40; i++) await _rig.GetAsync("/bad", candidate);
        long before = _origin.HitsAt("/bad");
        Assert.InRange(before, 41, 79);
        await _rig.GetAsync("/bad", live);
        Assert.Equal(before + 2, _origin.HitsAt("/bad"));
    }
}
