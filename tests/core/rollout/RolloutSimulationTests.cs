using Gateway.Core.Rollout;
using Xunit;

namespace Gateway.Core.Tests.Rollout;

/// <summary>What the judge promises, in simulations that are the same each time. <c>make rollout-gates</c> runs far more of them.</summary>
public sealed class RolloutSimulationTests
{
    private static SimulatedOutcome[] Run(int runs, Func<int, SimulatedRollout> rollout, int seconds, long most = long.MaxValue)
    {
        var outcomes = new SimulatedOutcome[runs];
        Parallel.For(0, runs, seed => outcomes[seed] = rollout(seed).Run(seconds, most));
        return outcomes;
    }

    [Fact]
    public void OfAThousandEquivalentRollouts_AtMostOnePercentAreReturned() =>
        Assert.InRange(Run(1000, RolloutSimulations.Equivalent, seconds: 60).Count(static o => o.Worse is not null), 0, 10);

    /// <summary>Steady errors are the hardest: nothing of alpha is lost to anything else. All gates are on.</summary>
    [Theory]
    [InlineData(10_000, 1, 0.05)]
    [InlineData(2000, 10, 0.05)]
    public void OfManyWithSteadyRoutes_AtMostOnePercentAreReturned(int runs, int routes, double share) =>
        Assert.InRange(Run(runs, seed => RolloutSimulations.Doubling(seed, share, factor: 1, routes: routes), 1000, 5000).Count(static o => o.Worse is not null), 0, runs / 100);

    [Theory]
    [InlineData(5000, 1)]
    [InlineData(1000, 10)]
    public void ADoubledErrorRate_IsFoundWithin5000RequestsOfTheCandidate_In95Percent(int runs, int routes) =>
        Assert.InRange(Run(runs, seed => RolloutSimulations.Doubling(seed, routes: routes), 1000, 5000).Count(static o => o.Worse is not null), runs * 95 / 100, runs);

    [Theory]
    [InlineData(0.02, 1, 1, 16)]
    [InlineData(0.02, 1, 50, 20)]
    [InlineData(0.5, 0, 1, 100)]
    [InlineData(0.02, 0.5, 1, 150)]
    public void ManyMoreOrFewerClientErrors_AreFoundWithinThatManyRequests(double before, double after, int routes, int requests)
    {
        SimulatedOutcome[] outcomes = Run(500, seed => RolloutSimulations.ClientErrors(seed, before, after, routes), 300);
        Assert.All(outcomes, static o => Assert.Equal("clientErrors", o.Worse?.Gate));
        Assert.InRange(outcomes.Average(static o => o.CandidateRequests), 1, requests);
    }

    [Theory]
    [InlineData(0.5, 0.5)]
    [InlineData(0.02, 0.02)]
    [InlineData(0.1, 0.3)]
    [InlineData(0.6, 0.4)]
    public void ClientErrorsThatDifferByWhatTheyMay_AreNotReturned(double before, double after) =>
        Assert.InRange(Run(2000, seed => RolloutSimulations.ClientErrors(seed, before, after), 300).Count(static o => o.Worse?.Gate == "clientErrors"), 0, 2);

    [Theory]
    [InlineData(1, 0.0)]
    [InlineData(1, 0.01)]
    [InlineData(50, 0.01)]
    public void ACandidateThatAnswersAllWith5xx_IsFoundWithinSecondsOfTraffic(int routes, double rateBefore)
    {
        SimulatedOutcome[] outcomes = Run(200, seed => RolloutSimulations.Breakage(seed, rateBefore, routes: routes), 10);
        Assert.All(outcomes, static o => Assert.Equal("errorRate", o.Worse?.Gate));
        Assert.InRange(outcomes.Average(static o => o.Second), 1, 2);
        Assert.InRange(outcomes.Max(static o => o.CandidateRequests), 1, 40);
    }

    [Fact]
    public void ACandidateThatBreaksAfterFiveGoodMinutes_IsFoundAsSoon()
    {
        SimulatedOutcome[] outcomes = Run(50, static seed => RolloutSimulations.Breakage(seed, 0.002, from: 300), 320);
        Assert.InRange(outcomes.Average(static o => o.Second), 300, 302.5);
        Assert.All(outcomes, static o => Assert.NotNull(o.Worse));
    }

    [Fact]
    public void ThreeTimesAsSlow_IsFoundWithinAHundredRequests()
    {
        SimulatedOutcome[] outcomes = Run(100, static seed => RolloutSimulations.Slow(seed, 3), 60);
        Assert.All(outcomes, static o => Assert.Equal("latency", o.Worse?.Gate));
        Assert.InRange(outcomes.Max(static o => o.CandidateRequests), 1, 120);
        Assert.All(outcomes, static o => Assert.True(o.Worse!.Counts.Canary.Quantile(0.5) > 2 * o.Worse.Counts.Stable.Quantile(0.5)));
    }

    [Fact]
    public void AsSlowAsTheFactorAllows_IsNotReturned() =>
        Assert.InRange(Run(200, static seed => RolloutSimulations.Slow(seed, 1.5), 120).Count(static o => o.Worse is not null), 0, 2);

    [Fact]
    public void TheEvidence_NamesTheRoute()
    {
        SimulatedRoute[] routes = [.. Enumerable.Range(0, 10).Select(static i => new SimulatedRoute($"r{i}", 1, 0.01, 0.01, 0.5))];
        for (int seed = 0; seed < 50; seed++)
        {
            var rollout = new SimulatedRollout(seed, routes, 2000, static _ => 0.01) { Defect = Defect.Broken with { Route = "r7" }, WithLatencies = false };
            RolloutEvidence worse = rollout.Run(60).Worse!;
            Assert.Equal(("r7", "errorRate"), (worse.Route, worse.Gate));
            Assert.True(worse.CanaryErrorRate > 0.5 && worse.Ratio is null or > 10);
        }
    }
}
