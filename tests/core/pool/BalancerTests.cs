using Gateway.Core.Pool;

namespace Gateway.Core.Tests.Pool;

public sealed class BalancerTests
{
    private static BalancerMember[] Members(params int[] weights) => [.. weights.Select(static (w, i) => new BalancerMember(new EndpointLoad(), w, StableHash.Of((ulong)i, 7)))];

    private static int[] Count(Balancer balancer, int members, int picks, MemberSet excluded = default)
    {
        int[] counts = new int[members];
        for (int i = 0; i < picks; i++) counts[balancer.Pick(new PickContext(excluded, StableHash.Of((ulong)i, 0)))]++;
        return counts;
    }

    public static TheoryData<BalancerKind> Kinds => [.. Enum.GetValues<BalancerKind>()];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void NothingToChoose_IsMinusOne(BalancerKind kind)
    {
        PickRandom random = PickRandom.Seeded(1);
        Assert.Equal(-1, Balancers.Create(new Balancing(kind), [], random, TimeProvider.System).Pick(default));
        Assert.Equal(-1, Balancers.Create(new Balancing(kind), Members(0, 0), random, TimeProvider.System).Pick(default));
        Assert.Equal(-1, Balancers.Create(new Balancing(kind), Members(1, 0, 1), random, TimeProvider.System).Pick(new PickContext(0b101)));
        Assert.Equal(-1, Balancers.Create(new Balancing(kind), Members(1, 0, 1), random, TimeProvider.System).Pick(new PickContext(ulong.MaxValue)));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void AMemberOfWeightZero_OrExcluded_IsNeverPicked(BalancerKind kind)
    {
        foreach (int heavy in new[] { 3, 65_535 })
        {
            Balancer balancer = Balancers.Create(new Balancing(kind), Members(0, 1, 0, heavy, 1, 0), PickRandom.Seeded(2), TimeProvider.System);
            int[] all = Count(balancer, 6, 20_000);
            Assert.Equal(20_000, all[1] + all[3] + all[4]);
            int[] rest = Count(balancer, 6, 1000, excluded: 0b001000);
            Assert.Equal(1000, rest[1] + rest[4]);
            Assert.True(rest[1] > 0 && (rest[4] > 0 || kind == BalancerKind.First));
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void MembersBeyondTheFirstWord_AreExcludedAsTheOthersAre(BalancerKind kind)
    {
        int[] weights = new int[300];
        weights[3] = weights[68] = weights[299] = 1;
        Balancer balancer = Balancers.Create(new Balancing(kind), Members(weights), PickRandom.Seeded(3), TimeProvider.System);
        Assert.Equal(500, Count(balancer, 300, 500, ((MemberSet)(1UL << 3)).With(68))[299]);
        Assert.Equal(500, Count(balancer, 300, 500, ((MemberSet)(1UL << 3)).With(299))[68]);
        Assert.Equal(500, Count(balancer, 300, 500, default(MemberSet).With(299).With(68).With(-1))[3]);
        Assert.Equal(-1, balancer.Pick(new PickContext(default(MemberSet).With(300, 0, static (_, i) => i >= 3))));
    }

    [Theory]
    [InlineData(new[] { 1, 1, 1, 1 })]
    [InlineData(new[] { 5, 1, 1 })]
    [InlineData(new[] { 100, 1, 50, 0, 7 })]
    public void AnIdlePool_IsSharedByWeight_ByLeastRequests(int[] weights)
    {
        const int Picks = 200_000;
        int[] counts = Count(new LeastRequestsBalancer(Members(weights), PickRandom.Seeded(4)), weights.Length, Picks);
        for (int i = 0; i < weights.Length; i++)
        {
            double share = (double)weights[i] / weights.Sum();
            // Five standard deviations of a binomial.
            Assert.Equal(share * Picks, counts[i], 5 * Math.Sqrt(Picks * share * (1 - share)) + 0.5);
        }
    }

    [Fact]
    public void ABusyMember_LosesEveryComparison()
    {
        BalancerMember[] members = Members(1, 1, 1);
        for (int i = 0; i < 10; i++) members[1].Load.Begin();
        int[] counts = Count(new LeastRequestsBalancer(members, PickRandom.Seeded(5)), 3, 30_000);
        Assert.Equal(0, counts[1]);
        Assert.Equal(15_000, counts[0], 15_000.0 * 0.05);
    }

    [Fact]
    public void RequestsInFlight_AreWeighed_AgainstTheWeight()
    {
        BalancerMember[] members = Members(10, 1);
        for (int i = 0; i < 5; i++) members[0].Load.Begin();
        members[1].Load.Begin();
        // 5 of 10 is less than 1 of 1.
        Assert.Equal(1000, Count(new LeastRequestsBalancer(members, PickRandom.Seeded(6)), 2, 1000)[0]);
    }

    [Fact]
    public void HeldRequests_SpreadByWeight_ByLeastRequests()
    {
        BalancerMember[] members = Members(4, 2, 1, 1);
        var balancer = new LeastRequestsBalancer(members, PickRandom.Seeded(7));
        for (int i = 0; i < 8000; i++) members[balancer.Pick(default)].Load.Begin();
        // Two choices keep the gap to the mean small whatever the number of requests.
        Assert.Equal(4000, members[0].Load.InFlight, 40.0);
        Assert.Equal(2000, members[1].Load.InFlight, 40.0);
        Assert.Equal(1000, members[2].Load.InFlight, 40.0);
    }

    [Fact]
    public void RoundRobin_IsSmooth()
    {
        var balancer = new RoundRobinBalancer(Members(5, 1, 1));
        Assert.Equal("aabacaaaabacaa", string.Concat(Enumerable.Range(0, 14).Select(_ => "abc"[balancer.Pick(default)])));
    }

    [Fact]
    public void RoundRobin_TakesEqualMembersInTurn_WhateverTheirWeight()
    {
        var balancer = new RoundRobinBalancer(Members(65_535, 65_535, 65_535), start: ulong.MaxValue);
        int first = balancer.Pick(default);
        for (int i = 1; i < 30; i++) Assert.Equal((first + i) % 3, balancer.Pick(default));
    }

    [Theory]
    [InlineData(new[] { 65_535, 1, 30_000, 0, 17 })]
    [InlineData(new[] { 9973, 9967, 1 })]
    [InlineData(new[] { 65_535, 0, 9 })]
    public void RoundRobin_WithLargeWeights_KeepsEachShareNearItsDue_AtAnyTime(int[] weights)
    {
        var balancer = new RoundRobinBalancer(Members(weights));
        int[] counts = new int[weights.Length];
        double worst = 0;
        for (int picks = 1; picks <= 300_000; picks++)
        {
            counts[balancer.Pick(default)]++;
            for (int i = 0; i < weights.Length; i++) worst = Math.Max(worst, Math.Abs(counts[i] - (double)picks * weights[i] / weights.Sum()));
        }
        Assert.InRange(worst, 0, 8);
        for (int i = 0; i < weights.Length; i++) Assert.True(weights[i] != 0 || counts[i] == 0);
    }

    [Fact]
    public async Task RoundRobin_FromSeveralThreads_LosesAndDoublesNothing()
    {
        const int Threads = 4, Rounds = 7000;
        var balancer = new RoundRobinBalancer(Members(5, 1, 1));
        int[][] counts = await Task.WhenAll(Enumerable.Range(0, Threads).Select(_ => Task.Run(() => Count(balancer, 3, Rounds))));
        Assert.Equal(Threads * Rounds / 7 * 5, counts.Sum(static c => c[0]));
        Assert.Equal(Threads * Rounds / 7, counts.Sum(static c => c[1]));
    }

    [Fact]
    public void TheRandomSource_IsUniform_OnEveryThread()
    {
        int[] counts = new int[10];
        for (int i = 0; i < 100_000; i++) counts[PickRandom.PerThread.Below(10)]++;
        Assert.All(counts, static c => Assert.Equal(10_000, c, 500.0));
    }

    [Fact]
    public void TheAliasTable_HoldsExactlyTheProportionsOfTheWeights()
    {
        // Against the definition: the columns' keep and alias shares sum up to the weights, for many random tables.
        PickRandom random = PickRandom.Seeded(8);
        for (int round = 0; round < 500; round++)
        {
            int[] weights = [.. Enumerable.Range(0, 1 + (int)random.Below(20)).Select(_ => (int)random.Below(5))];
            if (weights.Sum() == 0) continue;
            ulong[] shares = new AliasTable(weights).Shares();
            for (int i = 0; i < weights.Length; i++) Assert.Equal((ulong)weights[i] * (ulong)weights.Length, shares[i]);
        }
    }
}
