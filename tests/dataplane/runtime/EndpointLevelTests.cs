using System.Diagnostics;
using Gateway.Config;
using Gateway.Core.Pool;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Runtime;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Runtime;

/// <summary>Fail-over between ranks (priorities and zones), and the slow start of endpoints, by what is picked.</summary>
public sealed class EndpointLevelTests
{
    private readonly Clock _clock = new();
    private readonly PoolState _state;

    public EndpointLevelTests() => _state = new PoolState("p", new PoolMetrics("p"), _clock);

    private sealed class Clock : TimeProvider
    {
        private long _now = 1000 * Stopwatch.Frequency;

        public override long GetTimestamp() => Volatile.Read(ref _now);

        public void Advance(double seconds) => Interlocked.Add(ref _now, (long)(seconds * Stopwatch.Frequency));
    }

    private static EndpointModel[] Endpoints(params int[] ranks) => [.. ranks.Select(static (rank, i) => new EndpointModel
    {
        Address = $"e{i}",
        Weight = 1,
        Rank = rank,
        State = new EndpointState("p", $"e{i}"),
        Upstream = null!,
    })];

    private PoolModel Pool(EndpointModel[] endpoints, BalancerKind kind = BalancerKind.Random, TimeSpan slowStart = default, int panic = 50, EndpointSet? previous = null) =>
        new(_state, new EndpointPlan(new Balancing(kind), panic, SlowStart: slowStart), endpoints, previous) { Protocol = UpstreamProtocol.Http1 };

    private static void Fail(PoolModel pool, params int[] indexes)
    {
        foreach (int i in indexes) Assert.True(pool.Current.Endpoints[i].State.Health.Set(EndpointFaults.ProbeFailed, true));
        pool.Rebuild();
    }

    // Percent of the picks by endpoint.
    private static double[] Shares(EndpointSet set, int picks = 20_000)
    {
        double[] shares = new double[set.Endpoints.Length];
        for (int i = 0; i < picks; i++) shares[Array.IndexOf(set.Endpoints, set.Pick(new PickContext(0, StableHash.Of((ulong)i, 5))))] += 100.0 / picks;
        return shares;
    }

    private static double ShareOfRank(PoolModel pool, int rank) =>
        Shares(pool.Current).Where((_, i) => pool.Current.Endpoints[i].Rank == rank).Sum();

    // 1.4 times the healthy share: 5 of 7 healthy, 71%, is still all of it.
    [Theory]
    [InlineData(0, 100)]
    [InlineData(2, 100)]
    [InlineData(3, 80)]
    [InlineData(4, 60)]
    [InlineData(6, 20)]
    [InlineData(7, 0)]
    public void TheBestRank_TakesWhatItsHealthyOnesCan_AndTheNextTheRest(int failed, double share)
    {
        PoolModel pool = Pool(Endpoints(0, 0, 0, 0, 0, 0, 0, 2, 2));
        Fail(pool, [.. Enumerable.Range(0, failed)]);
        Assert.Equal(share, ShareOfRank(pool, 0), share is 0 or 100 ? 0.001 : 1.5);
        Assert.Equal(100 - share, ShareOfRank(pool, 2), share is 0 or 100 ? 0.001 : 1.5);
        Assert.Equal(share == 100 ? StandingReason.Standby : StandingReason.None, pool.Current.Standings[8].Reason);
        Assert.False(pool.Current.IsPanic);
    }

    [Fact]
    public void WhatTwoRanksCannotTake_IsSharedByWhatEachHas_AndAThirdIsNotNeeded()
    {
        // 4 of 10: 56%; 1 of 5: 28%. Together 84% of what there is to do.
        PoolModel pool = Pool(Endpoints(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1), panic: 20);
        Fail(pool, 0, 1, 2, 3, 4, 5, 10, 11, 12, 13);
        Assert.Equal(100.0 * 56 / 84, ShareOfRank(pool, 0), 1.5);
        Assert.Equal(100.0 * 28 / 84, ShareOfRank(pool, 1), 1.5);
    }

    [Fact]
    public void Panic_LooksAtTheRanksThatAreUsed_AndThenUsesAll()
    {
        PoolModel pool = Pool(Endpoints(0, 0, 0, 0, 1, 1));
        // Nobody is left of the first rank, but the second is whole: no panic.
        Fail(pool, 0, 1, 2, 3);
        Assert.False(pool.Current.IsPanic);
        Assert.Equal(100, ShareOfRank(pool, 1), 0.001);
        Fail(pool, 4, 5);
        Assert.True(pool.Current.IsPanic);
        Assert.All(Shares(pool.Current), static share => Assert.Equal(100.0 / 6, share, 1.5));
    }

    [Fact]
    public void StandbyEndpoints_StandIn_WhenAllOfTheOthersWereTried()
    {
        PoolModel pool = Pool(Endpoints(0, 0, 1));
        EndpointSet set = pool.Current;
        Assert.Same(set.Endpoints[2], set.Pick(new PickContext(0b011)));
        Assert.Null(set.Pick(new PickContext(0b111)));
        Assert.Equal(0, Shares(set)[2]);
    }

    [Fact]
    public void AKey_StaysWithItsLevel_WhenRequestsAreShared()
    {
        PoolModel pool = Pool(Endpoints(0, 0, 1, 1), BalancerKind.Maglev, panic: 0);
        Fail(pool, 0);
        Assert.Equal(70, ShareOfRank(pool, 0), 3.0);
        for (ulong key = 0; key < 200; key++)
        {
            EndpointModel first = pool.Current.Pick(new PickContext(0, StableHash.Of(key, 1)))!;
            for (int i = 0; i < 5; i++) Assert.Same(first, pool.Current.Pick(new PickContext(0, StableHash.Of(key, 1))));
        }
    }

    [Fact]
    public async Task ANewEndpoint_StartsWithATenthOfItsWeight_AndGetsToTheWhole()
    {
        EndpointModel[] endpoints = Endpoints(0, 0);
        TimeSpan slow = TimeSpan.FromSeconds(30);
        PoolModel alone = Pool([endpoints[0]], slowStart: slow);
        _state.Attach(alone);
        // All are as new as each other when the process starts.
        PoolModel pool = Pool(endpoints, slowStart: slow, previous: alone.Current);
        _clock.Advance(60);
        _state.Attach(pool);
        double[] expected = [10, 10, 50, 90, 100];
        double[] after = [0, 2, 13, 12, 3];
        for (int step = 0; step < expected.Length; step++)
        {
            _clock.Advance(after[step]);
            _state.EndpointsChanged("slow start");
            await Eventually.Until("the set follows", () => pool.Current.Change == _state.Changes);
            double of = Shares(pool.Current)[1];
            Assert.Equal(100 * expected[step] / (100 + expected[step]), of, 1.5);
            Assert.Equal(step < 4, pool.Current.IsRamping);
        }
    }

    [Fact]
    public async Task AnEndpointThatRecovers_StartsSlowlyToo()
    {
        PoolModel pool = Pool(Endpoints(0, 0), slowStart: TimeSpan.FromSeconds(10));
        _state.Attach(pool);
        async Task ChangedAsync()
        {
            _state.EndpointsChanged("test");
            await Eventually.Until("the set follows", () => pool.Current.Change == _state.Changes);
        }
        await ChangedAsync();
        // Both began together: nothing to hold back.
        Assert.Equal(50, Shares(pool.Current)[1], 1.5);
        _clock.Advance(11);
        EndpointHealth health = pool.Current.Endpoints[1].State.Health;
        health.Set(EndpointFaults.Ejected, true);
        await ChangedAsync();
        Assert.Equal(0, Shares(pool.Current)[1]);
        health.Set(EndpointFaults.Ejected, false);
        await ChangedAsync();
        Assert.Equal(100.0 / 11, Shares(pool.Current)[1], 1.5);
        _clock.Advance(10);
        await ChangedAsync();
        Assert.Equal(50, Shares(pool.Current)[1], 1.5);
    }
}
