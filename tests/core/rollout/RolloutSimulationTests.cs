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

    [Fact]
    public void OfAThousandWithOneSteadyRoute_WhichIsTheHardest_AtMostOnePercentAreReturned() =>
        Assert.InRange(Run(1000, static seed => RolloutSimulations.Doubling(seed, factor: 1), 1000, 5000).Count(static o => o.Worse is not null), 0, 10);

    [Fact]
    public void ADoubledErrorRate_IsFoundWithin5000RequestsOfTheCandidate_In95Percent() =>
        Assert.InRange(Run(1000, static seed => RolloutSimulations.Doubling(seed, share: 0.01), 1000, 5000).Count(static o => o.Worse is not null), 950, 1000);

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
            Assert.True(worse.CanaryErrorRate > 0.5 && worse.Ratio > 10);
        }
    }
}
