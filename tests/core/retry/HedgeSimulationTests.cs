using Gateway.Core.Outlier;
using Gateway.Core.Retry;

namespace Gateway.Core.Tests.Retry;

/// <summary>Hedged requests to five endpoints in virtual time: what the delay becomes, and who is found to be silent.</summary>
public sealed class HedgeSimulationTests
{
    private const long Second = 1_000_000, Millisecond = 1000;

    // Five milliseconds, and five more on average: 95 % take less than 20.
    private static readonly long HealthyP95 = (long)((5 + (5 * Math.Log(20))) * Millisecond);

    private sealed class Site
    {
        private readonly LatencyQuantile _latency = new(0.95, Second);
        private readonly PriorityQueue<Action, long> _ends = new();
        private readonly Random _random = new(11);
        private long _now;

        public AttemptCounts[] Endpoints { get; } = [.. Enumerable.Range(0, 5).Select(static _ => new AttemptCounts())];
        public bool[] Hangs { get; } = new bool[5];
        public long Delay => _latency.Value;
        public long Requests { get; private set; }
        public long Hedges { get; private set; }

        /// <summary>When each was first found to be silent; 0 for never.</summary>
        public long[] FoundAt { get; } = new long[5];

        private long Latency(int endpoint) => Hangs[endpoint] ? long.MaxValue / 4 : (5 * Millisecond) + (long)(-5 * Millisecond * Math.Log(1 - _random.NextDouble()));

        public void RunUntil(long end, int perSecond)
        {
            for (; _now < end; _now += Second / perSecond)
            {
                while (_ends.TryPeek(out Action? act, out long at) && at <= _now)
                {
                    _ends.Dequeue();
                    act();
                }
                Request();
            }
        }

        private void Request()
        {
            Requests++;
            int one = _random.Next(5), two = (one + 1 + _random.Next(4)) % 5;
            long first = Latency(one), delay = Delay, begun = _now;
            if (first <= delay)
            {
                if (!Hangs[one]) _ends.Enqueue(() => Answered(one, first, begun + first), begun + first);
                return;
            }
            Hedges++;
            long second = Latency(two), end = begun + Math.Min(first, delay + second);
            _ends.Enqueue(() =>
            {
                if (first <= delay + second)
                {
                    Answered(one, first, end);
                    Lost(two, first - delay, end);
                }
                else
                {
                    Answered(two, second, end);
                    Lost(one, delay + second, end);
                }
            }, end);
        }

        private void Answered(int endpoint, long latency, long now)
        {
            Endpoints[endpoint].RecordSuccess(latency);
            _latency.Record(latency, now);
        }

        // As the data plane does it.
        private void Lost(int endpoint, long waited, long now)
        {
            if (Endpoints[endpoint].SilentRun < AttemptCounts.LongSilence) _latency.RecordUnawaited(waited, now);
            if (waited >= _latency.Value && Endpoints[endpoint].RecordSilent(waited, now, Second) && FoundAt[endpoint] == 0) FoundAt[endpoint] = now;
        }
    }

    [Theory]
    [InlineData(20)]
    [InlineData(200)]
    [InlineData(2000)]
    public void OneOfFiveHangs_TheDelayStaysNearTheHealthyOnes_AndItIsFoundWithinSeconds(int perSecond)
    {
        Site site = new();
        site.RunUntil(30 * Second, perSecond);
        site.Hangs[3] = true;
        for (int second = 31; second <= 120; second++)
        {
            site.RunUntil(second * Second, perSecond);
            // Of few requests a percentile is uncertain.
            Assert.InRange(site.Delay, perSecond < 100 ? HealthyP95 / 2 : HealthyP95 * 0.7, HealthyP95 * (perSecond < 100 ? 2 : 1.3));
        }
        Assert.InRange(site.FoundAt[3], 31 * Second, (perSecond < 100 ? 36 : 33) * Second);
        Assert.Equal(4, site.FoundAt.Count(static at => at == 0));
    }

    [Fact]
    public void EndpointsThatAreWell_AreNeverFoundSilent_AndOneInTwentyIsHedged()
    {
        Site site = new();
        site.RunUntil(1800 * Second, 500);
        Assert.All(site.FoundAt, static at => Assert.Equal(0, at));
        Assert.InRange(site.Hedges / (double)site.Requests, 0.02, 0.1);
        Assert.InRange(site.Delay, HealthyP95 * 0.75, HealthyP95 * 1.3);
    }

    [Fact]
    public void APauseOfAllThatIsUnderWay_IsNoSilence_AndOneAnswerEndsIt()
    {
        AttemptCounts counts = new();
        for (int i = 0; i < 100; i++) Assert.False(counts.RecordSilent(100, now: i, least: 1000));
        counts.RecordSuccess(1);
        Assert.Equal(0, counts.SilentRun);
        for (int i = 0; i < 4; i++) Assert.False(counts.RecordSilent(100, now: 2000 * i, least: 1000));
        Assert.True(counts.RecordSilent(100, now: 8000, least: 1000));
        counts.RecordError();
        Assert.Equal(0, counts.SilentRun);
    }
}
