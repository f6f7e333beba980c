using System.Text;
using Gateway.Config;
using Gateway.ControlPlane.Rollout;
using Xunit;

namespace Gateway.ControlPlane.Tests.Rollout;

/// <summary>A candidate says how it is rolled out, and cannot say that less care is taken than now.</summary>
public sealed class RolloutPlanTests
{
    private static GatewayConfig Config(string? rollout) =>
        ConfigReader.ReadJson(Encoding.UTF8.GetBytes($$"""{ "version": "v1"{{(rollout is null ? "" : $$""", "rollout": { "r": {{rollout}} }""")}} }""")).Config!;

    private static RolloutPlan Plan(string? candidate, string? live) => RolloutPlan.Of("r", Config(candidate), live == "none" ? null : Config(live));

    [Fact]
    public void TheCandidatesOwnPlanCounts_WhereNothingSpeaksAgainstIt()
    {
        const string own = """{ "stages": [{ "percent": 0.5, "for": "1m" }], "cohort": "random", "gates": { "minSamples": 7, "errorRate": { "alpha": 0.02 } }, "onNoTraffic": "hold" }""";
        foreach (string? live in (string?[])["none", null, """{ "stages": [{ "percent": 0.5, "for": "9m" }], "gates": { "minSamples": 7 } }"""])
        {
            RolloutPlan plan = Plan(own, live);
            Assert.Equal(new RolloutStage(0.5, TimeSpan.FromMinutes(1)), Assert.Single(plan.Stages));
            Assert.Equal(("random", 7, 0.02, NoTrafficAction.Hold, null), (plan.Cohort, plan.Gates.MinSamples, plan.Gates.ErrorRate.Alpha, plan.OnNoTraffic, plan.Note));
        }
    }

    [Fact]
    public void WhatTheLiveOneIsStricterIn_Counts_AndIsSaid()
    {
        RolloutPlan plan = Plan(
            """{ "stages": [{ "percent": 50, "for": "1s" }], "gates": { "errorRate": { "alpha": 0.000001 }, "latency": { "alpha": 0.000001, "factor": 50 }, "minSamples": 1, "maxTime": "1s" }, "onNoTraffic": "promote" }""",
            """{ "stages": [{ "percent": 1, "for": "30s" }], "onNoTraffic": "return" }""");
        Assert.Equal(1, Assert.Single(plan.Stages).Percent);
        Assert.Equal((0.01, 0.01, 1.5, 200, TimeSpan.FromMinutes(10)), (plan.Gates.ErrorRate.Alpha, plan.Gates.Latency.Alpha, plan.Gates.Latency.Factor, plan.Gates.MinSamples, plan.Gates.MaxTime));
        Assert.Equal(NoTrafficAction.Return, plan.OnNoTraffic);
        Assert.Equal("stages, gates.errorRate.alpha, gates.latency.alpha, gates.latency.factor, gates.minSamples, gates.maxTime, onNoTraffic as in the live configuration, which is stricter", plan.Note);
    }

    [Fact]
    public void InAFleet_TheMoreCarefulModeAndTheShorterHoldCount_AndEachJudgeHasItsPartOfAlpha()
    {
        const string stages = """ "stages": [{ "percent": 1, "for": "30s" }]""";
        RolloutPlan plan = Plan($$"""{ {{stages}}, "fleet": "together", "holdTimeout": "5m" }""", $$"""{ {{stages}} }""");
        Assert.Equal((FleetRolloutMode.Sequential, TimeSpan.FromSeconds(30), "fleet, holdTimeout as in the live configuration, which is stricter"), (plan.Fleet, plan.HoldTimeout, plan.Note));
        plan = Plan($$"""{ {{stages}}, "fleet": "together", "holdTimeout": "5s" }""", $$"""{ {{stages}}, "fleet": "together" }""");
        Assert.Equal((FleetRolloutMode.Together, TimeSpan.FromSeconds(5), null), (plan.Fleet, plan.HoldTimeout, plan.Note));
        Assert.Equal((0.0025, 0.0025), (plan.Among(4).Gates.ErrorRate.Alpha, plan.Among(4).Gates.Latency.Alpha));
        Assert.Same(plan, plan.Among(1));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("{}")]
    public void ACandidateThatDropsItsStages_GoesThroughTheLiveOnes(string? own)
    {
        RolloutPlan plan = Plan(own, """{ "stages": [{ "percent": 1, "for": "30s" }] }""");
        Assert.Single(plan.Stages);
        Assert.NotNull(plan.Note);
    }

    [Fact]
    public void ANameThatNeitherHas_IsAnErrorThatNamesTheFix()
    {
        Assert.Empty(RolloutPlan.Missing("r", Config("{}"), null));
        Assert.Empty(RolloutPlan.Missing("r", Config(null), Config("{}")));
        ConfigError error = Assert.Single(RolloutPlan.Missing("x", Config("{}"), Config(null)));
        Assert.Equal(("rollout", "unknown_rollout"), (error.Path, error.Code));
        Assert.Contains("the document has 'r'; add \"rollout\": { \"x\": ", error.Message, StringComparison.Ordinal);
    }
}
