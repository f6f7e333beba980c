using FsCheck;
using FsCheck.Fluent;
using Gateway.ControlPlane.Pull;
using Xunit;

namespace Gateway.ControlPlane.Tests.Pull;

public sealed class PullScheduleTests
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    [Fact]
    public void AfterSuccess_ThePauseIsTheIntervalGiveOrTakeAQuarter_LessWhatTheRequestTook() =>
        Prop.ForAll(Gen.Choose(0, 999).ToArbitrary(), Gen.Choose(0, 20_000).ToArbitrary(), static (random, took) =>
        {
            TimeSpan pause = new PullSchedule(Interval, () => random / 1000.0).AfterSuccess(TimeSpan.FromMilliseconds(took));
            double least = Math.Max(0, 3750 - took), most = Math.Max(0, 6250 - took);
            return pause.TotalMilliseconds >= least && pause.TotalMilliseconds <= most;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void AfterFailures_ThePauseDoublesUpToFiveMinutes_AndIsNeverLessThanHalfOfThat() =>
        Prop.ForAll(Gen.Choose(0, 999).ToArbitrary(), Gen.Choose(1, 200).ToArbitrary(), static (random, failures) =>
        {
            var schedule = new PullSchedule(Interval, () => random / 1000.0);
            TimeSpan pause = TimeSpan.Zero;
            for (int i = 0; i < failures; i++) pause = schedule.AfterFailure();
            double full = Math.Min(5 * Math.Pow(2, failures - 1), 300);
            return schedule.Failures == failures && pause.TotalSeconds >= full / 2 && pause.TotalSeconds <= full;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void ASuccess_EndsTheBackoff()
    {
        var schedule = new PullSchedule(Interval, static () => 0.5);
        for (int i = 0; i < 10; i++) _ = schedule.AfterFailure();
        Assert.Equal(Interval, schedule.AfterSuccess(TimeSpan.Zero));
        Assert.Equal(0, schedule.Failures);
        Assert.Equal(Interval * 0.75, schedule.AfterFailure());
    }

    [Fact]
    public void RetryAfter_IsHonoured_UpToFiveMinutes()
    {
        Assert.Equal(TimeSpan.FromSeconds(60), new PullSchedule(Interval, static () => 0).AfterFailure(TimeSpan.FromSeconds(60)));
        Assert.Equal(PullSchedule.MostBackoff, new PullSchedule(Interval, static () => 0).AfterFailure(TimeSpan.FromDays(1)));
        Assert.Equal(Interval / 2, new PullSchedule(Interval, static () => 0).AfterFailure(TimeSpan.FromSeconds(-5)));
    }

    [Theory]
    [InlineData(5, 30)]
    [InlineData(60, 60)]
    [InlineData(3600, 300)]
    public void TheServer_MayWaitAsLongAsTheInterval_WithinReason(int interval, int wait) =>
        Assert.Equal(TimeSpan.FromSeconds(wait), new PullSchedule(TimeSpan.FromSeconds(interval), static () => 0).Wait);
}
