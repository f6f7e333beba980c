using Gateway.Core.Limits;

namespace Gateway.Core.Tests.Limits;

/// <summary>Clients that come again and again, a server with so many workers, and the limit between them, event by event in virtual time.</summary>
public sealed class GradientLimitSimulationTests
{
    private const long Second = 1_000_000, Millisecond = 1000;

    private sealed class Site
    {
        private readonly GradientLimit _limit = new(Second);
        private readonly PriorityQueue<(bool Arrives, long Admitted), long> _events = new();
        private readonly Queue<long> _waiting = new();
        private readonly Random _random = new(7);
        private int _inFlight, _busy;

        public required int Workers { get; set; }
        public required long Service { get; set; }
        public required long Pause { get; init; }
        public long Now { get; private set; }
        public int Limit => Math.Min(_limit.Limit, 10_000);

        /// <summary>What came of each: when it ended, how long it took, and whether it was served.</summary>
        public List<(long At, long Took, bool Served)> Ended { get; } = [];

        public void Add(int clients)
        {
            for (int i = 0; i < clients; i++) _events.Enqueue((true, 0), Now + _random.NextInt64(10 * Millisecond));
        }

        public void RunUntil(long end)
        {
            while (_events.TryPeek(out (bool Arrives, long Admitted) next, out long at) && at < end)
            {
                _events.Dequeue();
                Now = at;
                if (next.Arrives) Arrive();
                else Finish(next.Admitted);
            }
            Now = end;
        }

        private void Arrive()
        {
            if (_inFlight >= Limit)
            {
                Ended.Add((Now, 0, false));
                _events.Enqueue((true, 0), Now + Pause + (20 * Millisecond));
                return;
            }
            _inFlight++;
            if (_busy < Workers) Begin(Now);
            else _waiting.Enqueue(Now);
        }

        // Between half and one and a half of the service's time.
        private void Begin(long admitted)
        {
            _busy++;
            _events.Enqueue((false, admitted), Now + (Service / 2) + _random.NextInt64(Service));
        }

        private void Finish(long admitted)
        {
            _limit.Record(Now, Now - admitted, _inFlight, 10_000);
            _inFlight--;
            _busy--;
            Ended.Add((Now, Now - admitted, true));
            _events.Enqueue((true, 0), Now + Pause);
            if (_waiting.TryDequeue(out long next)) Begin(next);
        }

        public int Refused(long from, long to) => Ended.Count(e => e.At >= from && e.At < to && !e.Served);

        public double PerSecond(long from, long to) => Ended.Count(e => e.At >= from && e.At < to && e.Served) * (double)Second / (to - from);

        public long Percentile(long from, int percent)
        {
            long[] took = [.. Ended.Where(e => e.At >= from && e.Served).Select(static e => e.Took).Order()];
            return took[took.Length * percent / 100];
        }
    }

    [Theory]
    [InlineData(10, 1000)]
    [InlineData(50, 1500)]
    [InlineData(200, 2500)]
    public void AHealthyRoute_HasWhatAThousandAtOnceNeed_WithinASecondOrTwo(int serviceMilliseconds, int withinMilliseconds)
    {
        Site site = new() { Workers = int.MaxValue, Service = serviceMilliseconds * Millisecond, Pause = 0 };
        site.Add(1000);
        site.RunUntil(60 * Second);
        Assert.True(site.Limit >= 1000);
        Assert.Equal(0, site.Refused(withinMilliseconds * Millisecond, 60 * Second));
    }

    [Fact]
    public void ALoadThatGrowsTenfold_IsFollowed()
    {
        Site site = new() { Workers = int.MaxValue, Service = 30 * Millisecond, Pause = 0 };
        site.Add(100);
        site.RunUntil(10 * Second);
        site.Add(900);
        site.RunUntil(30 * Second);
        Assert.Equal(0, site.Refused((10 * Second) + (1000 * Millisecond), 30 * Second));
    }

    [Fact]
    public void AfterAStall_ItIsBackWithinSeconds()
    {
        Site site = new() { Workers = int.MaxValue, Service = 30 * Millisecond, Pause = 0 };
        site.Add(1000);
        site.RunUntil(10 * Second);
        site.Service = 1000 * Millisecond;
        site.RunUntil(13 * Second);
        site.Service = 30 * Millisecond;
        site.RunUntil(30 * Second);
        Assert.Equal(0, site.Refused(17 * Second, 30 * Second));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    public void AtFiveTimesTheCapacity_GoodputStays_AndWhoIsLetInIsServedInTime(int quietSeconds)
    {
        // Ten workers of 20 ms: 500 a second. With nothing before, what is without queueing has to be found under the load itself.
        Site site = new() { Workers = 10, Service = 20 * Millisecond, Pause = 20 * Millisecond };
        site.Add(15);
        site.RunUntil(quietSeconds * Second);
        site.Add(85);
        long from = (quietSeconds + 2) * Second;
        site.RunUntil(from + (30 * Second));
        Assert.InRange(site.PerSecond(from, from + (30 * Second)), 0.8 * 500, 520);
        for (long second = from; second < from + (30 * Second); second += Second) Assert.InRange(site.PerSecond(second, second + Second), 0.7 * 500, 550);
        // Without a bound each of a hundred would wait for the 90 before it: 200 ms.
        Assert.InRange(site.Percentile(from, 99), 0, 120 * Millisecond);
        Assert.True(site.Refused(from, site.Now) > 1000);
    }
}
