using Gateway.Core.Outlier;

namespace Gateway.Core.Tests.Outlier;

public sealed class PassiveEjectionTests
{
    private static readonly PassiveSettings Defaults = new(3, TimeSpan.FromSeconds(10));

    [Fact]
    public void TwoWithoutAnAnswer_AreNotEnough_ThreeAre()
    {
        var rig = new OutlierRig(5, Defaults);
        rig.Unanswered(1, 2);
        rig.Evaluate();
        Assert.Empty(rig.Decisions);
        rig.Unanswered(1);
        rig.Evaluate();
        EjectionDecision decision = Assert.Single(rig.Decisions);
        Assert.Equal((EjectionStep.Ejected, EjectionReason.Unanswered, 3L, TimeSpan.FromSeconds(10)), (decision.Step, decision.Reason, decision.Failures, decision.Length));
        Assert.Equal(["e1"], rig.Out);
    }

    [Fact]
    public void TwoAnswersThatAreCutOff_AreNotEnough_ThreeAre_AndAWholeOneBreaksTheRun()
    {
        var rig = new OutlierRig(5, Defaults);
        rig.Cut(1, 2);
        rig.Members[1].Counts.RecordWhole();
        rig.Cut(1, 2);
        rig.Evaluate();
        Assert.Empty(rig.Decisions);
        rig.Cut(1);
        rig.Evaluate();
        EjectionDecision decision = Assert.Single(rig.Decisions);
        Assert.Equal((EjectionStep.Ejected, EjectionReason.Unanswered, 3L), (decision.Step, decision.Reason, decision.Failures));
        // Once it is back, the run begins anew.
        rig.Pass(10);
        rig.Cut(1, 2);
        rig.Evaluate();
        Assert.Empty(rig.Out);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AnAnswerInBetween_BreaksTheRun_AlsoOneOf5xx(bool good)
    {
        var rig = new OutlierRig(1, Defaults);
        for (int i = 0; i < 20; i++)
        {
            rig.Unanswered(0, 2);
            if (good) rig.Succeed(0);
            else rig.Error(0);
            rig.Evaluate();
        }
        Assert.Empty(rig.Decisions);
    }

    [Fact]
    public void ItComesBackAfterItsTime_AndNotAMomentBefore()
    {
        var rig = new OutlierRig(2, Defaults);
        rig.Unanswered(0, 3);
        rig.Evaluate();
        rig.Pass(TimeSpan.FromSeconds(9.75));
        Assert.Equal(["e0"], rig.Out);
        rig.Pass(TimeSpan.FromSeconds(0.25));
        Assert.Empty(rig.Out);
        Assert.Equal(EjectionStep.Returned, rig.Decisions[^1].Step);
    }

    [Fact]
    public void WhoComesBack_IsOnProbation_UntilItsFirstAnswer()
    {
        var rig = new OutlierRig(2, Defaults);
        rig.Unanswered(0, 3);
        rig.Evaluate();
        // Requests that were under way when it was ejected fail meanwhile.
        rig.Unanswered(0, 7);
        rig.Pass(10);
        Assert.Empty(rig.Out);
        rig.Unanswered(0);
        rig.Evaluate();
        Assert.Equal(["e0"], rig.Out);
        rig.Pass(10);
        rig.Succeed(0);
        rig.Unanswered(0, 2);
        rig.Evaluate();
        Assert.Empty(rig.Out);
    }

    [Fact]
    public void AllMayBeOut_ForThePanicThresholdStandsBehind()
    {
        var rig = new OutlierRig(4, Defaults, new OutlierSettings());
        for (int i = 0; i < 4; i++) rig.Unanswered(i, 3);
        rig.Evaluate();
        Assert.Equal(["e0", "e1", "e2", "e3"], rig.Out);
    }

    [Fact]
    public void TurnedOff_ItReleasesWhoIsOut()
    {
        var rig = new OutlierRig(2, Defaults);
        rig.Unanswered(0, 3);
        rig.Evaluate();
        rig.Configure(null, null);
        rig.Evaluate();
        Assert.Empty(rig.Out);
        Assert.Equal(EjectionStep.Released, rig.Decisions[^1].Step);
        rig.Unanswered(0, 100);
        rig.Evaluate();
        Assert.Empty(rig.Out);
        Assert.Equal(int.MaxValue, rig.Detector.UnansweredToReport);
    }

    [Fact]
    public void SettingsGivenAgain_ChangeNothing()
    {
        var rig = new OutlierRig(2, Defaults);
        rig.Unanswered(0, 3);
        rig.Evaluate();
        rig.Configure(Defaults, null);
        rig.Pass(5);
        Assert.Single(rig.Decisions);
        Assert.Equal(["e0"], rig.Out);
    }
}
