using FsCheck;
using FsCheck.Fluent;
using Gateway.Config;
using Gateway.ControlPlane.Rollout;
using Xunit;

namespace Gateway.ControlPlane.Tests.Rollout;

/// <summary>When a stage ends, and how.</summary>
public sealed class RolloutRunTests
{
    private static readonly TimeSpan Start = TimeSpan.FromHours(3);

    private static RolloutRun Run(NoTrafficAction silence = NoTrafficAction.Promote) => new(Plan(silence), Start);

    private static RolloutPlan Plan(NoTrafficAction silence) => new("default", [new RolloutStage(1, TimeSpan.FromSeconds(30)), new RolloutStage(10, TimeSpan.FromSeconds(60))], "ip",
        new RolloutGatesConfig { MinSamples = 200, MaxTime = TimeSpan.FromMinutes(10) }, silence, default, default, null);

    private static RolloutMove Look(RolloutRun run, double seconds, long samples, bool worse = false)
    {
        VariantTraffic none = new(0, 0, null);
        return run.Look(Start + TimeSpan.FromSeconds(seconds), new CanaryLook([], samples, worse ? new RolloutEvidence("r", "errorRate", none, none, "worse") : null));
    }

    [Fact]
    public void AStageEnds_WhenItsTimeIsOverAndTheCandidateHasServedEnough()
    {
        RolloutRun run = Run();
        Assert.Equal(RolloutMove.Stay, Look(run, 29.9, 1000));
        Assert.Equal(TimeSpan.FromMilliseconds(100), run.Left);
        Assert.Equal(RolloutMove.Next, Look(run, 30, 1000));
        run.Advance();
        // Each stage wants samples of its own.
        Assert.Equal(RolloutMove.Stay, Look(run, 90, 1199));
        Assert.Equal("199 of 200 requests that the candidate must have served at 10%", run.WaitsFor);
        Assert.Equal(RolloutMove.Promote, Look(run, 91, 1200));
    }

    [Theory]
    [InlineData(NoTrafficAction.Promote, (int)RolloutMove.Next)]
    [InlineData(NoTrafficAction.Return, (int)RolloutMove.Return)]
    [InlineData(NoTrafficAction.Hold, (int)RolloutMove.Stay)]
    public void WithoutTraffic_ItWaitsForMaxTime_ThenDoesAsItWasTold(NoTrafficAction silence, int move)
    {
        RolloutRun run = Run(silence);
        Assert.Equal(RolloutMove.Stay, Look(run, 599, 199));
        Assert.Equal((RolloutMove)move, Look(run, 600, 199));
        // Traffic that comes late still counts.
        Assert.Equal(RolloutMove.Next, Look(run, 700, 200));
    }

    [Fact]
    public void Worse_EndsIt_AtAnyTime_AndAlsoWhilePaused()
    {
        RolloutRun run = Run();
        Assert.Equal(RolloutMove.Return, Look(run, 1, 3, worse: true));
        run.Pause(Start + TimeSpan.FromSeconds(2));
        Assert.Equal(RolloutMove.Return, Look(run, 3, 3, worse: true));
    }

    [Fact]
    public void APause_StopsTheClockOfTheStage()
    {
        RolloutRun run = Run();
        run.Pause(Start + TimeSpan.FromSeconds(20));
        Assert.Equal(RolloutMove.Stay, Look(run, 5000, 100_000));
        run.Resume(Start + TimeSpan.FromSeconds(6000));
        Assert.Equal(RolloutMove.Stay, Look(run, 6009, 100_000));
        Assert.Equal(RolloutMove.Next, Look(run, 6010, 100_000));
    }

    /// <summary>Whatever the times and counts: no stage is left early, nothing goes on with too few requests but by onNoTraffic, and worse always returns.</summary>
    [Fact]
    public void NoStageIsLeftEarly()
    {
        Gen<(int Seconds, int Samples, bool Worse, int Pause)[]> steps = Gen.Choose(0, 40).SelectMany(static s => Gen.Choose(0, 150).SelectMany(n => Gen.Choose(0, 60).SelectMany(w => Gen.Choose(0, 9).Select(p => (s, n, w == 0, p))))).ArrayOf();
        Prop.ForAll(steps.ToArbitrary(), static moves =>
        {
            RolloutRun run = Run(NoTrafficAction.Hold);
            TimeSpan now = Start, active = TimeSpan.Zero;
            (long samples, long before) = (0, 0);
            foreach ((int seconds, int more, bool worse, int pause) in moves)
            {
                if (!run.IsPaused) active += TimeSpan.FromSeconds(seconds);
                now += TimeSpan.FromSeconds(seconds);
                if (pause == 0) run.Pause(now);
                if (pause == 1) run.Resume(now);
                samples += more;
                RolloutMove move = Look(run, (now - Start).TotalSeconds, samples, worse);
                if (worse != (move == RolloutMove.Return)) return false;
                if (worse) return true;
                bool over = !run.IsPaused && active >= run.Stage.For && samples - before >= 200;
                if (over != move is RolloutMove.Next or RolloutMove.Promote) return false;
                if (move == RolloutMove.Promote) return run.StageIndex == 1;
                if (move != RolloutMove.Next) continue;
                run.Advance();
                (before, active) = (samples, TimeSpan.Zero);
            }
            return true;
        }).QuickCheckThrowOnFailure();
    }
}
