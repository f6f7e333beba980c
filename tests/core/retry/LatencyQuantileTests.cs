using Gateway.Core.Retry;

namespace Gateway.Core.Tests.Retry;

public sealed class LatencyQuantileTests
{
    private const long Second = 1_000_000_000, Millisecond = Second / 1000;

    [Fact]
    public void NineteenSamples_SayNothing_TwentyDo()
    {
        var p95 = new LatencyQuantile(0.95, Second);
        for (int i = 0; i < 19; i++) p95.Record(Millisecond, 0);
        Assert.Equal(long.MaxValue, p95.Value);
        p95.Record(Millisecond, 0);
        Assert.InRange(p95.Value, Millisecond, Millisecond * 9 / 8);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    [InlineData(700)]
    public void TheP95OfAnExponentialDistribution_IsAtMostAnEighthTooHigh(int meanMilliseconds)
    {
        var p95 = new LatencyQuantile(0.95, Second);
        var random = new Random(1);
        for (int i = 0; i < 64_000; i++) p95.Record((long)(-Math.Log(1 - random.NextDouble()) * meanMilliseconds * Millisecond), i);
        double exact = -Math.Log(0.05) * meanMilliseconds * Millisecond;
        Assert.InRange(p95.Value, exact * 0.97, exact * 1.15);
    }

    [Fact]
    public void WhatIsOlderThanTwentySeconds_IsForgotten()
    {
        var p95 = new LatencyQuantile(0.95, Second);
        for (int i = 0; i < 640; i++) p95.Record(Second, 0);
        for (int g = 1; g <= 2; g++) for (int i = 0; i < 640; i++) p95.Record(Millisecond, g * 10 * Second);
        Assert.InRange(p95.Value, Millisecond, Millisecond * 9 / 8);
    }

    [Fact]
    public void AfterASilence_ItBeginsAnew()
    {
        var p95 = new LatencyQuantile(0.95, Second);
        for (int i = 0; i < 640; i++) p95.Record(Second, 0);
        for (int i = 0; i < 19; i++) p95.Record(Millisecond, 60 * Second);
        Assert.Equal(long.MaxValue, p95.Value);
        p95.Record(Millisecond, 60 * Second);
        Assert.InRange(p95.Value, Millisecond, Millisecond * 9 / 8);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-5)]
    [InlineData(long.MaxValue)]
    public void ALatencyOutOfAllBounds_IsTakenAsTheNearestOne(long ticks)
    {
        var p95 = new LatencyQuantile(0.95, Second);
        for (int i = 0; i < 20; i++) p95.Record(ticks, 0);
        Assert.InRange(p95.Value, 1, 200 * Second);
    }
}
