using Gateway.Core.Limits;

namespace Gateway.Core.Tests.Limits;

/// <summary>Against a server that does so many at a time and lets the others queue.</summary>
public sealed class GradientLimitTests
{
    private const long Second = 1_000_000;
    private readonly GradientLimit _limit = new(Second);
    private long _now = 1;

    /// <summary>Windows of a server with so many workers of so many microseconds each, under a load of so many at a time as far as the limit lets them.</summary>
    private void Run(int windows, int workers, long service, int load, int max = 1000)
    {
        for (int w = 0; w < windows; w++)
        {
            int inFlight = Math.Min(load, Math.Min(_limit.Limit, max));
            long latency = (long)(service * Math.Max(1.0, (double)inFlight / workers));
            // Some more than a window needs, spread over it.
            for (int i = 0; i < 20; i++) _limit.Record(_now += Second / 19, latency, inFlight, max);
        }
    }

    [Theory]
    [InlineData(10)]
    [InlineData(50)]
    [InlineData(200)]
    public void UnderOverload_ItSettlesNearTheServersCapacity(int workers)
    {
        Run(windows: 200, workers, service: 10_000, load: workers * 10);
        // One and a half times of it by the tolerance, and its square root.
        Assert.InRange(_limit.Limit, workers, (workers * 2) + 8);
    }

    [Fact]
    public void HoursOfOverload_DoNotMakeItDrift()
    {
        Run(windows: 10_000, workers: 20, service: 10_000, load: 500);
        int most = 0;
        for (int i = 0; i < 200; i++)
        {
            Run(1, 20, 10_000, 500);
            most = Math.Max(most, _limit.Limit);
        }
        Assert.InRange(most, 20, 45);
        Assert.InRange(_limit.Baseline, 9_000, 11_000);
    }

    [Fact]
    public void AServerThatLosesCapacity_GetsLess_AndMoreAgainWhenItHasIt()
    {
        Run(200, workers: 100, service: 10_000, load: 1000);
        Run(200, workers: 20, service: 10_000, load: 1000);
        Assert.InRange(_limit.Limit, 10, 45);
        Run(200, workers: 100, service: 10_000, load: 1000);
        Assert.InRange(_limit.Limit, 100, 220);
    }

    [Fact]
    public void AServiceThatBecomesSlowerByItself_IsNotStarved()
    {
        Run(200, workers: 50, service: 10_000, load: 500);
        // Another query plan: three times as slow, as many workers.
        Run(300, workers: 50, service: 30_000, load: 500);
        Assert.InRange(_limit.Limit, 50, 110);
    }

    [Fact]
    public void ALimitThatNobodyComesNear_StaysWhatItIs()
    {
        Run(200, workers: 50, service: 10_000, load: 500);
        // The window in which the load falls has seen it.
        Run(1, workers: 50, service: 10_000, load: 3);
        int before = _limit.Limit;
        Run(500, workers: 50, service: 10_000, load: 3);
        Assert.Equal(before, _limit.Limit);
    }

    [Fact]
    public void TheUpperBoundHolds()
    {
        Run(300, workers: 500, service: 10_000, load: 500, max: 64);
        Assert.Equal(64, _limit.Limit);
    }
}
