using FsCheck;
using FsCheck.Fluent;
using Gateway.Core.Rollout;
using Xunit;

namespace Gateway.Core.Tests.Rollout;

public sealed class RolloutJudgeTests
{
    private static VariantCounts Counts(long requests, long failures, params (double Seconds, long Count)[] latencies)
    {
        long[] buckets = new long[LatencyBuckets.Count];
        foreach ((double seconds, long count) in latencies) buckets[LatencyBuckets.IndexOf(seconds)] += count;
        return VariantCounts.Of(requests, failures, 0, 0, 0, buckets);
    }

    private static RolloutVerdict Step(RolloutJudge judge, VariantCounts stable, VariantCounts canary, string route = "shop") =>
        judge.Add(new RouteCounts(RouteCounts.All, stable, canary), [new RouteCounts(route, stable, canary)]);

    [Fact]
    public void Enough_IsWhenTheCandidateHasServedTheLeast()
    {
        RolloutJudge judge = new(new RolloutGates { MinSamples = 100 }, 1);
        Assert.False(Step(judge, Counts(10_000, 0), Counts(99, 0)).IsEnough);
        RolloutVerdict verdict = Step(judge, Counts(0, 0), Counts(1, 0));
        Assert.Equal((true, 100, null), (verdict.IsEnough, verdict.Samples, verdict.Worse));
    }

    [Fact]
    public void AVerdictStays_WithItsEvidence()
    {
        RolloutJudge judge = new(new RolloutGates(), 1);
        RolloutEvidence worse = Step(judge, Counts(2000, 2), Counts(10, 10)).Worse!;
        Assert.Equal(("shop", "errorRate", 10, 1.0), (worse.Route, worse.Gate, worse.Samples, worse.CanaryErrorRate));
        Assert.True(worse.EValue > 1000);
        Assert.InRange(worse.Ratio!.Value, 999, 1001);
        Assert.Same(worse, Step(judge, Counts(100_000, 0), Counts(100_000, 0)).Worse);
    }

    [Fact]
    public void ARateThatChangesForBoth_IsNoDifference()
    {
        RolloutJudge judge = new(new RolloutGates(), 1);
        for (int second = 0; second < 100; second++)
        {
            long bad = second % 10 == 0 ? 9 : 1;
            Assert.Null(Step(judge, Counts(1000, bad * 100), Counts(100, bad * 10)).Worse);
        }
    }

    [Fact]
    public void ABetterCandidate_IsNeverReturned()
    {
        RolloutJudge judge = new(new RolloutGates(), 1);
        for (int second = 0; second < 100; second++) Assert.Null(Step(judge, Counts(1000, 500, (1, 500)), Counts(100, 0, (0.01, 100))).Worse);
    }

    [Fact]
    public void RequestsThatFindNoRoute_AreJudgedToo()
    {
        RolloutJudge judge = new(new RolloutGates(), 1);
        VariantCounts stable = Counts(1000, 5), canary = Counts(50, 25);
        RolloutVerdict verdict = judge.Add(new RouteCounts(RouteCounts.All, Counts(1000, 0), Counts(50, 0)), [new RouteCounts(RouteCounts.NoRoute, stable, canary)]);
        Assert.Equal(RouteCounts.NoRoute, verdict.Worse?.Route);
    }

    [Fact]
    public void ARouteThatOnlyTheCandidateHas_IsFoundByAllTogether()
    {
        RolloutJudge judge = new(new RolloutGates(), 2);
        RolloutEvidence worse = judge.Add(
            new RouteCounts(RouteCounts.All, Counts(1000, 0), Counts(20, 20)),
            [new RouteCounts("shop", Counts(1000, 0), VariantCounts.Zero), new RouteCounts("shop2", VariantCounts.Zero, Counts(20, 20))]).Worse!;
        Assert.Equal(RouteCounts.All, worse.Scope);
    }

    [Fact]
    public void TheFirstSlowRequests_AreWarmUp_AndTheNextAreNot()
    {
        RolloutJudge judge = new(new RolloutGates(), 1);
        VariantCounts stable = Counts(1000, 0, (0.01, 1000));
        for (int second = 0; second < 2; second++) Assert.Null(Step(judge, stable, Counts(10, 0, (0.1, 10))).Worse);
        for (int second = 0; second < 50; second++) Assert.Null(Step(judge, stable, Counts(10, 0, (0.01, 10))).Worse);
        RolloutVerdict verdict = null!;
        for (int second = 0; second < 3; second++) verdict = Step(judge, stable, Counts(10, 0, (0.1, 10)));
        Assert.Equal("latency", verdict.Worse?.Gate);
    }

    [Fact]
    public void AMillisecond_IsNoRegression()
    {
        RolloutJudge judge = new(new RolloutGates(), 1);
        for (int second = 0; second < 100; second++) Assert.Null(Step(judge, Counts(1000, 0, (0.0002, 1000)), Counts(100, 0, (0.001, 100))).Worse);
    }

    [Theory]
    [InlineData(0.0)]
    [InlineData(1.0)]
    [InlineData(double.NaN)]
    public void AnAlphaThatIsNone_IsRefused(double alpha) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new RolloutJudge(new RolloutGates { ErrorRate = new ErrorRateGate { Alpha = alpha } }, 1));

    /// <summary>Any numbers, also ones that no counter could have: no exception, no NaN, and no work that grows with them.</summary>
    [Fact]
    public void WhateverTheCounts_TheEvidenceIsANumber()
    {
        Gen<long> any = Gen.OneOf(
            Gen.Choose(0, 20).Select(static n => (long)n), Gen.Choose(0, int.MaxValue).Select(static n => (long)n),
            Gen.Elements(0L, 1, long.MaxValue, long.MinValue, -1, 1L << 51, 5000, 4999));
        Gen<long[]> step = any.ArrayOf(8);
        Prop.ForAll(step.ArrayOf(12).ToArbitrary(), static steps =>
        {
            var odds = new OddsProcess();
            var spending = new SpendingTest(0.01);
            var latency = new LatencyComparison(0.01, new LatencyGate());
            bool ended = false;
            foreach (long[] s in steps)
            {
                var table = Table.Of(s[0], s[1], s[2], s[3]);
                if (table.Tells) odds.Add(table);
                Assert.False(double.IsNaN(odds.LogEvidence), $"{table}");
                if (!ended && !spending.IsOver && table is { Candidate: > 0, Stable: > 0 }) ended = spending.Add(table);
                Assert.InRange(spending.PValue, 0, 1);
                long[] fast = new long[LatencyBuckets.Count], slow = new long[LatencyBuckets.Count];
                (fast[3], fast[60], slow[5], slow[LatencyBuckets.Count - 1]) = (s[4] >> 8, s[5] >> 8, s[6] >> 8, s[7] >> 8);
                latency.Add(VariantCounts.Of(s[0], s[1], 0, 0, 0, fast), VariantCounts.Of(s[2], s[3], 0, 0, 0, slow));
                Assert.False(double.IsNaN(latency.Nearest.LogEvidence));
            }
        }).QuickCheckThrowOnFailure();
    }

    /// <summary>The bound that stands in for the expectation is one: the mean of the evidence over what k can be, as likely as it is, is at most 1.</summary>
    [Fact]
    public void TheEvidence_IsFair()
    {
        foreach ((int candidate, int stable, int failures) in ((int, int, int)[])[(1, 1, 1), (5, 100, 3), (50, 50, 50), (10, 1000, 500), (100, 3, 90), (30, 70, 99)])
        {
            double mean = 0, logAll = LogChoose(candidate + stable, failures);
            for (int k = Math.Max(0, failures - stable); k <= Math.Min(candidate, failures); k++)
            {
                var odds = new OddsProcess();
                odds.Add(Table.Of(candidate, k, stable, failures - k));
                mean += Math.Exp(LogChoose(candidate, k) + LogChoose(stable, failures - k) - logAll + odds.LogEvidence);
            }
            Assert.InRange(mean, 0.3, 1 + 1e-9);
        }
    }

    /// <summary>The mean of the evidence over what both may have is at most 1 where their shares differ by no more than they may.</summary>
    [Theory]
    [InlineData(5, 100, 0.1, 0.2)]
    [InlineData(50, 50, 0.4, 0.2)]
    [InlineData(100, 3, 0.05, 0)]
    [InlineData(1, 1, 0.5, 0.5)]
    public void TheEvidenceOfADifference_IsFair(int requests, int others, double share, double most)
    {
        double mean = 0;
        for (int k = 0; k <= requests; k++)
        {
            for (int s = 0; s <= others; s++)
            {
                var difference = new ShareDifference(0.01, most);
                difference.Add(requests, k, others, s);
                mean += Math.Exp(LogBinomial(requests, k, share + most) + LogBinomial(others, s, share) + difference.LogEvidence);
            }
        }
        Assert.InRange(mean, 0.3, 1 + 1e-9);
    }

    private static double LogBinomial(int n, int k, double p) => LogChoose(n, k) + (k == 0 ? 0 : k * Math.Log(p)) + (k == n ? 0 : (n - k) * Math.Log(1 - p));

    private static VariantCounts Rejected(long requests, long refusals, long clientErrors = 0, long limited = 0) =>
        VariantCounts.Of(requests, 0, refusals, clientErrors, 0, new long[LatencyBuckets.Count]) with { Limited = limited };

    [Fact]
    public void ACandidateThatLetsNobodyIn_OrEverybody_IsReturned()
    {
        RolloutEvidence nobody = Step(new RolloutJudge(new RolloutGates(), 1), Rejected(2000, 20), Rejected(20, 20)).Worse!;
        Assert.Equal(("clientErrors", "shop", 100.0), (nobody.Gate, nobody.Route, nobody.Ratio));
        Assert.Equal("clientErrors", Step(new RolloutJudge(new RolloutGates(), 1), Rejected(2000, 1200), Rejected(100, 0)).Worse?.Gate);
        // Refused by the gateway in place of the upstream is no difference.
        Assert.Null(Step(new RolloutJudge(new RolloutGates(), 1), Rejected(2000, 0, 1800), Rejected(100, 90)).Worse);
    }

    [Fact]
    public void FewerRefusalsForARate_SayNothing_AndMoreDo()
    {
        Assert.Null(Step(new RolloutJudge(new RolloutGates(), 1), Rejected(2000, 1200, limited: 1200), Rejected(100, 0)).Worse);
        Assert.Equal("clientErrors", Step(new RolloutJudge(new RolloutGates(), 1), Rejected(2000, 0), Rejected(100, 80, limited: 80)).Worse?.Gate);
    }

    [Fact]
    public void RequestsThatFindNoRoute_AreClientErrorsOfAllTogether()
    {
        // The upstream said 404 before, and the gateway does now, for there is no route any more: nobody is told anything else.
        RolloutGates gates = new() { ErrorRate = null, Latency = null };
        RolloutJudge judge = new(gates, 2);
        RolloutVerdict same = judge.Add(
            new RouteCounts(RouteCounts.All, Rejected(1000, 0, 900), Rejected(50, 0, 5)),
            [new RouteCounts(RouteCounts.NoRoute, Counts(1000, 0), Counts(50, 45)), new RouteCounts("shop", Rejected(1000, 0, 900), Rejected(5, 0, 5))]);
        Assert.Null(same.Worse);
        judge = new(gates, 2);
        RolloutVerdict lost = judge.Add(new RouteCounts(RouteCounts.All, Counts(1000, 0), Counts(50, 0)), [new RouteCounts(RouteCounts.NoRoute, Counts(1000, 0), Counts(50, 45))]);
        Assert.Equal(("clientErrors", RouteCounts.All), (lost.Worse?.Gate, lost.Worse?.Scope));
    }

    private static double LogChoose(int n, int k)
    {
        double log = 0;
        for (int i = 1; i <= k; i++) log += Math.Log(n - k + i) - Math.Log(i);
        return log;
    }
}
