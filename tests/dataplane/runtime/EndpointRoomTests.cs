using FsCheck;
using FsCheck.Fluent;
using Gateway.Config;
using Gateway.Core.Pool;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Runtime;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Runtime;

/// <summary>Endpoints with a bound on their requests: who is picked, and that all is counted out again.</summary>
public sealed class EndpointRoomTests
{
    private readonly PoolState _state = new("p", new PoolMetrics("p"), TimeProvider.System);

    private PoolModel Pool(int most, BalancerKind kind, params int[] ranks)
    {
        EndpointModel[] endpoints = [.. ranks.Select(static (rank, i) => new EndpointModel
        {
            Address = $"e{i}",
            Weight = 1,
            Rank = rank,
            State = new EndpointState("p", $"e{i}"),
            Upstream = null!,
        })];
        return new PoolModel(_state, new EndpointPlan(new Balancing(kind, BoundedLoad: 1.25), 50, MostRequests: most), endpoints, null) { Protocol = UpstreamProtocol.Http1 };
    }

    private static EndpointModel? Take(PoolModel pool, ulong excluded = 0, ulong hash = 0) => pool.Current.Take(new PickContext(excluded, hash), pool.Plan.MostRequests);

    public static TheoryData<BalancerKind> Kinds => [.. Enum.GetValues<BalancerKind>()];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void WhoIsFull_IsPassedOver_UntilNobodyHasRoom_AndIsPickedAgainWhenItHas(BalancerKind kind)
    {
        // More than one word of a set of them can name.
        PoolModel pool = Pool(3, kind, new int[70]);
        for (int i = 0; i < 210; i++) Assert.NotNull(Take(pool, hash: StableHash.Of((ulong)i, 7)));
        Assert.All(pool.Current.Endpoints, static e => Assert.Equal(3, e.State.Load.InFlight));
        Assert.Null(Take(pool));
        foreach (int index in (int[])[5, 69])
        {
            pool.Leave(pool.Current.Endpoints[index]);
            Assert.Same(pool.Current.Endpoints[index], Take(pool));
            Assert.Null(Take(pool));
        }
    }

    [Fact]
    public void WithoutABound_AsManyAsCome()
    {
        PoolModel pool = Pool(0, BalancerKind.First, 0, 0);
        for (int i = 0; i < 1000; i++) Assert.Same(pool.Current.Endpoints[0], Take(pool));
        Assert.Equal(1000, pool.Current.Endpoints[0].State.Load.InFlight);
    }

    [Fact]
    public void WhenThePreferredOnesAreFull_TheOthersStandIn_ButNeverWhoIsNotUsed()
    {
        PoolModel pool = Pool(1, BalancerKind.RoundRobin, 0, 0, 1, 1);
        Assert.True(pool.Current.Endpoints[3].State.Health.Set(EndpointFaults.ProbeFailed, true));
        pool.Rebuild();
        Assert.Equal([0, 0, 1], Enumerable.Range(0, 3).Select(_ => Take(pool)!.Rank));
        Assert.Null(Take(pool));
        Assert.Equal(0, pool.Current.Endpoints[3].State.Load.InFlight);
    }

    [Fact]
    public void WhoWasTried_IsNotTakenForWantOfRoomElsewhere()
    {
        PoolModel pool = Pool(1, BalancerKind.LeastRequests, 0, 0);
        Assert.Same(pool.Current.Endpoints[1], Take(pool, excluded: 0b01));
        Assert.Null(Take(pool, excluded: 0b01));
        Assert.Same(pool.Current.Endpoints[0], Take(pool));
    }

    private enum Act
    {
        Take, Leave, Fail, Recover,
    }

    private static readonly Gen<(Act Act, int Value)[]> Stories =
        Gen.Frequency((4, Gen.Constant(Act.Take)), (3, Gen.Constant(Act.Leave)), (1, Gen.Constant(Act.Fail)), (1, Gen.Constant(Act.Recover)))
            .SelectMany(static act => Gen.Choose(0, 999).Select(value => (act, value))).ArrayOf().Resize(300);

    /// <summary>Whatever happens: never beyond the bound, never below nothing, always one that is used now and was not excluded, and somebody as long as one of those has room.</summary>
    [Fact]
    public void WhoIsTaken_IsACandidateWithRoom_AndThereIsOneWhereThereIsSuchACandidate() => Prop.ForAll(
        Stories.ToArbitrary(), Gen.Elements(Enum.GetValues<BalancerKind>()).ToArbitrary(), (story, kind) =>
    {
        PoolModel pool = Pool(2, kind, 0, 0, 1, 2, 2);
        List<EndpointModel> held = [];
        foreach ((Act act, int value) in story)
        {
            EndpointModel[] endpoints = pool.Current.Endpoints;
            EndpointModel some = endpoints[value % endpoints.Length];
            switch (act)
            {
                case Act.Take:
                    ulong excluded = (ulong)value & 0b10101;
                    EndpointStanding[] standings = pool.Current.Standings;
                    bool[] may = [.. endpoints.Select((e, i) =>
                        (standings[i].IsUsed || standings[i].Reason == StandingReason.Standby) && (excluded >> i & 1) == 0 && e.State.Load.InFlight < 2)];
                    EndpointModel? taken = pool.Current.Take(new PickContext(excluded, StableHash.Of((ulong)value, 3)), 2);
                    if (taken is null ? may.Contains(true) : !may[Array.IndexOf(endpoints, taken)]) return false;
                    if (taken is not null) held.Add(taken);
                    break;
                case Act.Leave when held.Count > 0:
                    pool.Leave(held[value % held.Count]);
                    held.RemoveAt(value % held.Count);
                    break;
                case Act.Fail or Act.Recover:
                    _ = some.State.Health.Set(EndpointFaults.Ejected, act == Act.Fail);
                    pool.Rebuild();
                    break;
            }
            foreach (EndpointModel endpoint in endpoints)
            {
                if (endpoint.State.Load.InFlight != held.Count(e => e == endpoint) || endpoint.State.Load.InFlight is < 0 or > 2) return false;
            }
        }
        return true;
    }).QuickCheckThrowOnFailure();

    [Fact]
    public async Task AnEndpointThatComes_HasRoomForWhoWaits()
    {
        PoolModel pool = Pool(1, BalancerKind.RoundRobin, 0, 0);
        _state.Attach(pool);
        Assert.True(pool.Current.Endpoints[1].State.Health.Set(EndpointFaults.Ejected, true));
        Assert.True(pool.Current.Endpoints[1].State.Health.Set(EndpointFaults.ProbeFailed, true));
        _state.EndpointsChanged("test");
        await Eventually.Until("the set follows", () => pool.Current.Change == _state.Changes);
        Assert.NotNull(Take(pool));
        EndpointModel? taken = null;
        Task<Core.Limits.Admission> waiter = _state.Queue.WaitAsync(
            pool, () => (taken = Take(pool)) is not null, new Core.Limits.QueueSettings(1, TimeSpan.FromMinutes(1)), CancellationToken.None).AsTask();
        Assert.False(waiter.IsCompleted);
        _ = pool.Current.Endpoints[1].State.Health.Set(EndpointFaults.Ejected, false);
        _ = pool.Current.Endpoints[1].State.Health.Set(EndpointFaults.ProbeFailed, false);
        _state.EndpointsChanged("test");
        Assert.Equal(Core.Limits.Admission.Admitted, await Eventually.Within("the waiter's end", waiter));
        Assert.Same(pool.Current.Endpoints[1], taken);
    }
}
