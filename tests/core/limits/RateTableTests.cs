using FsCheck;
using FsCheck.Fluent;
using Gateway.Core.Limits;

namespace Gateway.Core.Tests.Limits;

public sealed class RateTableTests
{
    private const long Second = 1000;
    private readonly RateTable _table = new(64, seed: 42);

    private bool Take(ulong key, long now, Rate rate) => _table.TryTake(key, now, rate, out _);

    [Fact]
    public void ABurst_AndThenAtTheRate()
    {
        Rate rate = Rate.PerSecond(10, 5, Second);
        for (int i = 0; i < 5; i++) Assert.True(Take(1, 0, rate));
        Assert.False(_table.TryTake(1, 0, rate, out long wait));
        Assert.Equal(100, wait);
        Assert.False(Take(1, 99, rate));
        Assert.True(Take(1, 100, rate));
        Assert.False(Take(1, 100, rate));
        // After a rest the bucket is full, and no fuller.
        for (int i = 0; i < 5; i++) Assert.True(Take(1, 100_000, rate));
        Assert.False(Take(1, 100_000, rate));
        Assert.True(Take(2, 100_000, rate));
    }

    [Fact]
    public void WhoIsTurnedAway_DoesNotWaitLongerForIt()
    {
        Rate rate = Rate.PerSecond(1, 1, Second);
        Assert.True(Take(1, 0, rate));
        for (int i = 0; i < 100; i++) Assert.False(Take(1, i, rate));
        Assert.True(Take(1, Second, rate));
    }

    [Fact]
    public void WhoHasUsedUpItsShare_IsNotForgottenForThoseWhoComeOnce()
    {
        Rate rate = Rate.PerSecond(1, 100, Second);
        for (int i = 0; i < 100; i++) Assert.True(Take(7, 0, rate));
        for (ulong other = 1000; other < 100_000; other++) Assert.True(Take(other, 0, rate));
        Assert.False(Take(7, 0, rate));
    }

    [Fact]
    public async Task ManyThreads_TakeNoMoreThanTheBurst()
    {
        Rate rate = Rate.PerSecond(1, 10_000, Second);
        Assert.True(Take(1, 0, rate));
        int taken = 1;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            for (int i = 0; i < 5_000; i++)
            {
                if (Take(1, 0, rate)) Interlocked.Increment(ref taken);
            }
        })));
        Assert.Equal(10_000, taken);
    }

    /// <summary>In any stretch of time no more than a burst and what the rate gives in it.</summary>
    [Fact]
    public void TheRateHolds_InEveryStretchOfTime() => Prop.ForAll(
        Gen.Choose(0, 400).ArrayOf().Resize(200).ToArbitrary(), Gen.Choose(1, 50).ToArbitrary(), Gen.Choose(1, 20).ToArbitrary(), (pauses, perSecond, burst) =>
        {
            var table = new RateTable(8, 1);
            Rate rate = Rate.PerSecond(perSecond, burst, Second);
            List<long> taken = [];
            long now = 0;
            foreach (int pause in pauses)
            {
                now += pause;
                for (int i = 0; i < 3; i++)
                {
                    if (table.TryTake(5, now, rate, out _)) taken.Add(now);
                }
            }
            for (int from = 0; from < taken.Count; from++)
            {
                for (int to = from; to < taken.Count; to++)
                {
                    if (to - from + 1 > burst + ((taken[to] - taken[from]) / rate.Interval)) return false;
                }
            }
            return true;
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(0, 7, 1, false)]
    [InlineData(0.125, 7, 0, true)]
    [InlineData(0.125, 6, 0.999, false)]
    [InlineData(0.6, 3, 0.3, true)]
    [InlineData(0.6, 3, 0.1, false)]
    [InlineData(0.6, 2, 0.9, false)]
    [InlineData(1, 0, 0, true)]
    public void TheLeastImportant_AreTurnedAwayFirst_OfOneImportanceByLot(double pressure, int priority, double lot, bool turnedAway) =>
        // A lot is below 1.
        Assert.Equal(turnedAway, Shedding.TurnsAway(pressure, priority, Math.Min(lot, 0.9999)));

    [Theory]
    [InlineData(89, 0)]
    [InlineData(90, 0)]
    [InlineData(92.5, 0.5)]
    [InlineData(95, 1)]
    [InlineData(99, 1)]
    public void Pressure_RisesFromTheThresholdToTheEnd(double value, double pressure) => Assert.Equal(pressure, Shedding.Pressure(value, 90, 95), 6);
}
