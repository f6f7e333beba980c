using Gateway.Core.Outlier;

namespace Gateway.Core.Tests.Outlier;

public sealed class OutlierDetectorTests
{
    private static readonly OutlierSettings Defaults = new();

    private static OutlierRig Rig(int members = 10, OutlierSettings? settings = null) => new(members, null, settings ?? Defaults);

    [Fact]
    public void FourFailuresInARow_AreNotEnough_FiveAre()
    {
        OutlierRig rig = Rig();
        rig.Error(3, 2);
        rig.Unanswered(3, 2);
        rig.Evaluate();
        Assert.Empty(rig.Decisions);
        rig.Error(3);
        rig.Evaluate();
        EjectionDecision decision = Assert.Single(rig.Decisions);
        Assert.Equal((EjectionReason.ConsecutiveFailures, 5L, TimeSpan.FromSeconds(30)), (decision.Reason, decision.Failures, decision.Length));
    }

    [Fact]
    public void ASuccess_BreaksTheRun()
    {
        OutlierRig rig = Rig();
        for (int i = 0; i < 2; i++)
        {
            rig.Error(0, 4);
            rig.Succeed(0);
        }
        rig.Error(0, 4);
        rig.Evaluate();
        Assert.Empty(rig.Decisions);
    }

    [Theory]
    [InlineData(10, 9, false)]
    [InlineData(10, 10, true)]
    [InlineData(11, 10, false)]
    [InlineData(9, 9, false)]
    public void HalfOfTwentyInHalfAMinute_Fails(int good, int bad, bool ejected)
    {
        OutlierRig rig = Rig(settings: Defaults with { ConsecutiveFailures = 0 });
        rig.Error(2, bad);
        rig.Succeed(2, good);
        rig.Pass(1);
        Assert.Equal(ejected ? ["e2"] : [], rig.Out);
        if (ejected) Assert.Equal((EjectionReason.FailurePercent, 20L, 10L), (rig.Decisions[0].Reason, rig.Decisions[0].Attempts, rig.Decisions[0].Failures));
    }

    [Fact]
    public void WhatIsOlderThanTheWindow_DoesNotCount()
    {
        OutlierRig rig = Rig(settings: Defaults with { ConsecutiveFailures = 0 });
        rig.Error(0, 10);
        rig.Pass(29);
        rig.Succeed(0, 9);
        rig.Pass(1);
        Assert.Empty(rig.Out);
        rig.Pass(1);
        // The ten failures have left; now as many good ones as it takes to look.
        rig.Succeed(0, 11);
        rig.Pass(1);
        Assert.Empty(rig.Out);
    }

    [Fact]
    public void EachEjection_IsLongerThanTheLast_UpToTheCap_AndShorterAgainAfterGoodTimes()
    {
        OutlierRig rig = Rig();
        foreach (int seconds in (int[])[30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300])
        {
            rig.Error(0, 5);
            rig.Evaluate();
            Assert.Equal(TimeSpan.FromSeconds(seconds), rig.Decisions[^1].Length);
            rig.Pass(TimeSpan.FromSeconds(seconds));
            Assert.Empty(rig.Out);
        }
        rig.Pass(50);
        Assert.InRange(rig.Members[0].Ejections, 4, 6);
        rig.Pass(60);
        Assert.Equal(0, rig.Members[0].Ejections);
        rig.Error(0, 5);
        rig.Evaluate();
        Assert.Equal(TimeSpan.FromSeconds(30), rig.Decisions[^1].Length);
    }

    [Theory]
    [InlineData(1, 10, 1)]
    [InlineData(9, 10, 1)]
    [InlineData(20, 10, 2)]
    [InlineData(29, 10, 2)]
    [InlineData(4, 50, 2)]
    [InlineData(4, 100, 4)]
    public void NoMoreThanTheCap_AreOut_ButOneMayAlways(int members, int percent, int most)
    {
        OutlierRig rig = Rig(members, Defaults with { MaxEjectedPercent = percent });
        for (int i = 0; i < members; i++) rig.Error(i, 50);
        rig.Pass(20);
        Assert.Equal(most, rig.Out.Count());
        Assert.Equal(members - most, rig.Decisions.Count(d => d.Step == EjectionStep.Spared));
    }

    [Fact]
    public void WhoIsSpared_IsSaidOnce_AndTakesThePlaceOfWhoComesBack()
    {
        OutlierRig rig = Rig();
        rig.Error(0, 5);
        rig.Error(1, 5);
        rig.Evaluate();
        rig.Pass(TimeSpan.FromSeconds(29.75));
        Assert.Equal([("e0", EjectionStep.Ejected), ("e1", EjectionStep.Spared)], rig.Decisions.Select(d => (d.Member.Name, d.Step)));
        rig.Pass(TimeSpan.FromSeconds(0.25));
        Assert.Equal([("e0", EjectionStep.Returned), ("e1", EjectionStep.Ejected)], rig.Decisions.Skip(2).Select(d => (d.Member.Name, d.Step)));
    }

    [Fact]
    public void EndpointsThatDoNotAnswer_LeaveNoRoomForOutliers()
    {
        var rig = new OutlierRig(10, new PassiveSettings(3, TimeSpan.FromSeconds(10)), Defaults);
        rig.Unanswered(0, 3);
        rig.Error(1, 5);
        rig.Evaluate();
        Assert.Equal(["e0"], rig.Out);
    }

    [Fact]
    public void APoolThatShrinks_TakesBackWhoIsTooMany()
    {
        OutlierRig rig = Rig(20);
        rig.Error(0, 5);
        rig.Evaluate();
        rig.Pass(5);
        rig.Error(1, 5);
        rig.Evaluate();
        Assert.Equal(["e0", "e1"], rig.Out);
        rig.Keep(10);
        rig.Configure(null, Defaults);
        rig.Evaluate();
        // The one that would have come back first.
        Assert.Equal(["e1"], rig.Out);
        Assert.Equal(EjectionStep.Released, rig.Decisions[^1].Step);
    }

    [Fact]
    public void OldFailures_DoNotEjectAgainWhoComesBack()
    {
        OutlierRig rig = Rig(settings: Defaults with { BaseEjection = TimeSpan.FromSeconds(1) });
        rig.Error(0, 40);
        rig.Pass(20);
        Assert.Equal([EjectionStep.Ejected, EjectionStep.Returned], rig.Decisions.Select(d => d.Step));
    }

    [Theory]
    [InlineData(50, 40, 3, true)]
    [InlineData(49, 40, 3, false)]
    [InlineData(50, 40, 2, false)]
    [InlineData(50, 29, 3, false)]
    public void ThreeIntervalsAtThreeTimesThePoolsLatency_WithFiftyAnswersEach(int answers, int milliseconds, int intervals, bool ejected)
    {
        OutlierRig rig = Rig(5);
        rig.Pass(10);
        for (int interval = 0; interval < intervals; interval++)
        {
            for (int i = 0; i < 4; i++) rig.Succeed(i, 60);
            rig.Succeed(4, answers, milliseconds);
            rig.Pass(10);
        }
        Assert.Equal(ejected ? ["e4"] : [], rig.Out);
        if (!ejected) return;
        EjectionDecision decision = rig.Decisions[0];
        Assert.Equal((EjectionReason.Latency, 50L), (decision.Reason, decision.Attempts));
        Assert.InRange(decision.Latency, 37_000_000, 43_000_000);
        Assert.InRange(decision.PoolLatency, 9_000_000, 11_000_000);
    }

    [Fact]
    public void AGoodIntervalInBetween_StartsTheCountOfSlowOnesAnew()
    {
        OutlierRig rig = Rig(5);
        rig.Pass(10);
        foreach (int milliseconds in (int[])[90, 90, 10, 90, 90])
        {
            for (int i = 0; i < 4; i++) rig.Succeed(i, 60);
            rig.Succeed(4, 60, milliseconds);
            rig.Pass(10);
        }
        Assert.Empty(rig.Out);
    }

    [Fact]
    public void OfTwoEndpoints_TheSlowOneIsTold()
    {
        OutlierRig rig = Rig(2);
        rig.Pass(10);
        for (int interval = 0; interval < 3; interval++)
        {
            rig.Succeed(0, 60);
            rig.Succeed(1, 60, 100);
            rig.Pass(10);
        }
        Assert.Equal(["e1"], rig.Out);
    }

    [Fact]
    public void AServiceWhoseAnswersAreSpreadWidely_IsNoOutlierOfItself()
    {
        OutlierRig rig = Rig(5);
        rig.Pass(10);
        for (int interval = 0; interval < 6; interval++)
        {
            for (int i = 0; i < 5; i++)
            {
                rig.Succeed(i, 90);
                rig.Succeed(i, 10, 500);
            }
            rig.Pass(10);
        }
        Assert.Empty(rig.Decisions);
    }

    [Fact]
    public void WithoutSettings_NothingIsKeptAndNothingFound()
    {
        var rig = new OutlierRig(3);
        rig.Error(0, 100);
        rig.Pass(60);
        Assert.Empty(rig.Decisions);
        Assert.Null(rig.Members[0].Counts.Latencies);
        Assert.False(rig.Detector.NeedsTime);
    }
}
