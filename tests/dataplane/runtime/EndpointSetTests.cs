using Gateway.Config;
using Gateway.Core.Pool;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Runtime;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Runtime;

/// <summary>Which endpoints of a pool are used, and that the models in use follow what changes.</summary>
public sealed class EndpointSetTests
{
    private readonly PoolState _state = new("p", new PoolMetrics("p"), TimeProvider.System);

    private PoolModel Pool(params int[] weights) => Pool(new EndpointPlan(new Balancing(BalancerKind.RoundRobin), PanicThreshold: 50), [.. weights.Select(Endpoint)]);

    private PoolModel Pool(EndpointPlan plan, EndpointModel[] endpoints, EndpointSet? previous = null) =>
        new(_state, plan, endpoints, previous) { Protocol = UpstreamProtocol.Http1 };

    private static EndpointModel Endpoint(int weight, int index) => new()
    {
        Address = $"10.0.0.{index}:80",
        Weight = weight,
        State = new EndpointState("p", $"10.0.0.{index}:80"),
        Upstream = null!,
    };

    private static HashSet<EndpointModel> Picked(EndpointSet set) => [.. Enumerable.Range(0, 200).Select(_ => set.Pick(default)!)];

    private static string Standing(EndpointSet set) =>
        string.Join(' ', set.Standings.Select(static s => (s.IsUsed ? "used" : "out") + (s.Reason == StandingReason.None ? "" : $":{s.Reason}")));

    private static void Fail(EndpointSet set, EndpointFaults fault, params int[] indexes)
    {
        foreach (int i in indexes) Assert.True(set.Endpoints[i].State.Health.Set(fault, true));
    }

    private async Task ChangedAsync(PoolModel pool)
    {
        _state.EndpointsChanged("test");
        await Eventually.Until("the model follows", () => pool.Current.Change == _state.Changes);
    }

    [Fact]
    public async Task UnhealthyEndpoint_IsNotPicked_UntilItIsWellAgain()
    {
        PoolModel pool = Pool(1, 1, 1, 0);
        _state.Attach(pool);
        EndpointSet all = pool.Current;
        Fail(all, EndpointFaults.ProbeFailed, 1);
        await ChangedAsync(pool);
        Assert.Equal("used out:ProbeFailed used out:NoWeight", Standing(pool.Current));
        Assert.Equal([all.Endpoints[0], all.Endpoints[2]], Picked(pool.Current));
        // Who read the set before goes on with it.
        Assert.Equal(3, Picked(all).Count);

        Assert.True(all.Endpoints[1].State.Health.Set(EndpointFaults.ProbeFailed, false));
        await ChangedAsync(pool);
        Assert.Equal("used used used out:NoWeight", Standing(pool.Current));
        Assert.Equal(3, Picked(pool.Current).Count);
    }

    [Fact]
    public async Task AnEndpointWithTwoFaults_IsWell_WhenBothAreGone()
    {
        PoolModel pool = Pool(1, 1, 1);
        _state.Attach(pool);
        EndpointHealth health = pool.Current.Endpoints[0].State.Health;
        Assert.True(health.Set(EndpointFaults.ProbeFailed, true));
        Assert.True(health.Set(EndpointFaults.Ejected, true));
        Assert.False(health.Set(EndpointFaults.Ejected, true));
        Assert.True(health.Set(EndpointFaults.ProbeFailed, false));
        await ChangedAsync(pool);
        Assert.Equal("out:Ejected used used", Standing(pool.Current));
        Assert.True(health.Set(EndpointFaults.Ejected, false));
        Assert.True(health.IsUsable);
    }

    [Theory]
    [InlineData(50, 2, false)]
    [InlineData(50, 3, true)]
    [InlineData(50, 4, true)]
    [InlineData(51, 2, true)]
    [InlineData(100, 1, true)]
    [InlineData(100, 0, false)]
    [InlineData(0, 4, false)]
    public void BelowThePanicThreshold_AllAreUsed(int threshold, int failed, bool panic)
    {
        PoolModel pool = Pool(new EndpointPlan(new Balancing(BalancerKind.LeastRequests), threshold), [Endpoint(1, 0), Endpoint(1, 1), Endpoint(1, 2), Endpoint(1, 3), Endpoint(0, 4)]);
        Fail(pool.Current, EndpointFaults.Ejected, [.. Enumerable.Range(0, failed)]);
        pool.Rebuild();
        Assert.Equal(panic, pool.Current.IsPanic);
        if (failed == 4 && !panic)
        {
            Assert.Null(pool.Current.Pick(default));
            return;
        }
        Assert.Equal(panic ? 4 : 4 - failed, Picked(pool.Current).Count);
        // What is held against them is still to be seen; a weight of 0 is nobody's illness.
        Assert.Equal(failed, pool.Current.Standings.Count(static s => s.Reason == StandingReason.Ejected));
        Assert.Equal(new EndpointStanding(false, StandingReason.NoWeight), pool.Current.Standings[4]);
    }

    [Fact]
    public void AnEndpointThatWasTried_IsExcludedByItsIndex()
    {
        PoolModel pool = Pool(1, 1);
        EndpointSet set = pool.Current;
        MemberSet tried = default(MemberSet).With(set.IndexOf(set.Endpoints[0].State));
        for (int i = 0; i < 20; i++) Assert.Same(set.Endpoints[1], set.Pick(new PickContext(tried)));
        Assert.Equal(-1, set.IndexOf(new EndpointState("p", "gone")));
    }

    [Fact]
    public void TheBalancerGoesOn_WhereItWouldBeMadeTheSame()
    {
        PoolModel pool = Pool(1, 2);
        EndpointSet before = pool.Current;
        pool.Rebuild();
        Assert.Same(before.Levels[0].Balancer, pool.Current.Levels[0].Balancer);
        Assert.NotSame(before, pool.Current);
        Assert.NotSame(before.Levels[0].Balancer, Pool(new EndpointPlan(new Balancing(BalancerKind.LeastRequests), 50), before.Endpoints, before).Current.Levels[0].Balancer);
        Fail(before, EndpointFaults.Ejected, 0);
        pool.Rebuild();
        Assert.NotSame(before.Levels[0].Balancer, pool.Current.Levels[0].Balancer);
    }

    [Fact]
    public async Task AModelThatWasCompiledBeforeAChange_LearnsOfItWhenItComesIntoUse()
    {
        PoolModel pool = Pool(1, 1, 1);
        Fail(pool.Current, EndpointFaults.ProbeFailed, 0);
        _state.EndpointsChanged("before it was in use");
        _state.Attach(pool);
        await Eventually.Until("the model follows", () => !pool.Current.Standings[0].IsUsed);
        Assert.Equal("before it was in use", _state.LastChange);
    }

    [Fact]
    public async Task AModelThatIsInUseNoMore_IsLeftAlone()
    {
        PoolModel gone = Pool(1, 1), stays = Pool(1, 1);
        _state.Attach(gone);
        _state.Attach(stays);
        EndpointSet last = gone.Current;
        _state.Detach(gone);
        await ChangedAsync(stays);
        Assert.Same(last, gone.Current);
    }

    [Fact]
    public async Task ChangesFromManyThreads_AreAllTakenAccountOf()
    {
        PoolModel pool = Pool(1, 1, 1, 1, 1, 1, 1, 1);
        _state.Attach(pool);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(thread => Task.Run(() =>
        {
            EndpointHealth health = pool.Current.Endpoints[thread].State.Health;
            for (int i = 0; i <= 2000; i++)
            {
                health.Set(EndpointFaults.ProbeFailed, i % 2 == 0);
                _state.EndpointsChanged("flap");
            }
        })));
        await Eventually.Until("the last state of each is seen", () => pool.Current.Standings.Count(static s => !s.IsUsed) == 4);
        Assert.Equal(4 * 2001, _state.Changes);
    }
}
