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
        const string own = """{ "stages": [{ "percent": 0.5, "for": "1m" }], "cohort": "random", "gates": { "minSamples": 7, "errorRate": { "alpha": 0.02 }, "clientErrors": { "maxDifferencePercent": 3 } }, "onNoTraffic": "hold" }""";
        foreach (string? live in (string?[])["none", null, """{ "stages": [{ "percent": 0.5, "for": "1m" }], "cohort": "random", "gates": { "minSamples": 7 } }"""])
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
            """{ "stages": [{ "percent": 50, "for": "1s" }], "gates": { "errorRate": { "alpha": 0.000001 }, "latency": { "alpha": 0.000001, "factor": 50 }, "clientErrors": { "alpha": 0.000001, "maxDifferencePercent": 100 }, "minSamples": 1, "maxTime": "1s" }, "onNoTraffic": "promote" }""",
            """{ "stages": [{ "percent": 1, "for": "30s" }], "onNoTraffic": "return" }""");
        Assert.Equal((0.0005, 20), (plan.Gates.ClientErrors.Alpha, plan.Gates.ClientErrors.MaxDifferencePercent));
        Assert.Equal((0.009, 0.0005, 1.5, 200, TimeSpan.FromMinutes(10)), (plan.Gates.ErrorRate.Alpha, plan.Gates.Latency.Alpha, plan.Gates.Latency.Factor, plan.Gates.MinSamples, plan.Gates.MaxTime));
        Assert.Equal(NoTrafficAction.Return, plan.OnNoTraffic);
        Assert.Equal("stages, gates.errorRate.alpha, gates.latency.alpha, gates.latency.factor, gates.clientErrors.alpha, gates.clientErrors.maxDifferencePercent, gates.minSamples, gates.maxTime, onNoTraffic as in the live configuration, which counts", plan.Note);
    }

    [Theory]
    // Over at once, left out, shorter, all of it: the live one's.
    [InlineData("1 0s", "1 30s, 10 30s", "1 30s, 10 30s")]
    [InlineData("1 1s, 10 1s", "1 30s, 10 30s", "1 30s, 10 30s")]
    [InlineData("100 5s", "1 30s, 10 30s", "1 30s, 10 30s, 100 0s")]
    [InlineData("0.5 1m", "0.5 9m", "0.5 9m")]
    // Its own where it is slower, and through all shares of both.
    [InlineData("1 1h", "1 30s, 10 30s", "1 1h, 10 0s")]
    [InlineData("0.5 10s, 20 2m", "1 30s, 10 30s", "0.5 10s, 1 20s, 10 30s, 20 70s")]
    [InlineData("0.1 1m, 1 30s, 10 30s", "1 30s, 10 30s", "0.1 60s, 1 30s, 10 30s")]
    public void AtEveryMoment_TheLesserShareOfBothIsServed(string own, string live, string plan)
    {
        Assert.Equal(Stages(plan), Plan(Json(own), Json(live)).Stages);
        Assert.Equal(Stages(plan), Plan(Json(live), Json(own)).Stages);
        Assert.Equal(own == plan.Replace("60s", "1m", StringComparison.Ordinal), Plan(Json(own), Json(live)).Note is null);

        static RolloutStage[] Stages(string text) => [.. text.Split(", ").Select(static s => s.Split(' ')).Select(static s => new RolloutStage(double.Parse(s[0], System.Globalization.CultureInfo.InvariantCulture), DurationText.TryParse(s[1], out TimeSpan time) ? time : throw new FormatException(s[1])))];
        static string Json(string text) => $$"""{ "stages": [{{string.Join(", ", text.Split(", ").Select(static s => s.Split(' ')).Select(static s => $$"""{ "percent": {{s[0]}}, "for": "{{s[1]}}" }"""))}}] }""";
    }

    [Fact]
    public void WhoIsKeptOnOneSide_IsForTheLiveConfigurationToSay()
    {
        const string random = """{ "stages": [{ "percent": 1, "for": "30s" }], "cohort": "random" }""", header = """{ "stages": [{ "percent": 1, "for": "30s" }], "cohort": "header:x-user" }""";
        RolloutPlan plan = Plan(random, header);
        Assert.Equal(("header:x-user", "cohort as in the live configuration, which counts"), (plan.Cohort, plan.Note));
        // It keeps nobody anywhere yet.
        Assert.Equal("random", Plan(random, """{ "cohort": "header:x-user" }""").Cohort);
    }

    [Fact]
    public void InAFleet_TheMoreCarefulModeAndTheShorterHoldCount_AndEachJudgeHasItsPartOfAlpha()
    {
        const string stages = """ "stages": [{ "percent": 1, "for": "30s" }]""";
        RolloutPlan plan = Plan($$"""{ {{stages}}, "fleet": "together", "holdTimeout": "5m" }""", $$"""{ {{stages}} }""");
        Assert.Equal((FleetRolloutMode.Sequential, TimeSpan.FromSeconds(30), "fleet, holdTimeout as in the live configuration, which counts"), (plan.Fleet, plan.HoldTimeout, plan.Note));
        plan = Plan($$"""{ {{stages}}, "fleet": "together", "holdTimeout": "5s" }""", $$"""{ {{stages}}, "fleet": "together" }""");
        Assert.Equal((FleetRolloutMode.Together, TimeSpan.FromSeconds(5), null), (plan.Fleet, plan.HoldTimeout, plan.Note));
        Assert.Equal((0.00225, 0.000125), (plan.Among(4).Gates.ErrorRate.Alpha, plan.Among(4).Gates.Latency.Alpha));
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
