using System.Diagnostics;
using Gateway.Core.Pool;

namespace Gateway.Core.Tests.Pool;

public sealed class PeakEwmaTests
{
    [Fact]
    public void WhatWasNotWaitedFor_RaisesTheLatency_AndNeverLowersIt()
    {
        EndpointLoad load = new();
        load.ObserveAtLeast(1000, now: 1);
        Assert.Equal(1000, load.Latency(1));
        load.ObserveAtLeast(10, now: 2);
        Assert.Equal(1000, load.Latency(2), 1.0);
        load.ObserveAtLeast(5000, now: 3);
        Assert.Equal(5000, load.Latency(3), 1.0);
    }

    private static readonly long Millisecond = Stopwatch.Frequency / 1000;
    private readonly Clock _clock = new();

    private sealed class Clock : TimeProvider
    {
        public long Now { get; set; } = 1_000_000_000_000;

        public override long GetTimestamp() => Now;
    }

    private static BalancerMember[] Members(params int[] weights) => [.. weights.Select(static w => new BalancerMember(new EndpointLoad(), w))];

    private int[] Count(BalancerMember[] members, int picks)
    {
        var balancer = new PeakEwmaBalancer(members, PickRandom.Seeded(3), _clock);
        int[] counts = new int[members.Length];
        for (int i = 0; i < picks; i++) counts[balancer.Pick(default)]++;
        return counts;
    }

    private void Observe(BalancerMember member, long milliseconds) => member.Load.Observe(milliseconds * Millisecond, _clock.Now);

    private double Latency(EndpointLoad load) => load.Latency(_clock.Now) / Millisecond;

    [Fact]
    public void ASlowAnswer_CountsAtOnce_AndFadesWithTime()
    {
        var load = new EndpointLoad();
        Assert.Equal(0, load.Latency(_clock.Now));
        load.Observe(10 * Millisecond, _clock.Now);
        load.Observe(200 * Millisecond, _clock.Now);
        Assert.Equal(200, Latency(load), 0.01);
        // A fast one right after it hardly helps; one ten seconds later brings it down by 1 - 1/e.
        load.Observe(10 * Millisecond, _clock.Now);
        Assert.Equal(200, Latency(load), 0.01);
        _clock.Now += 10 * Stopwatch.Frequency;
        Assert.Equal(200 / Math.E, Latency(load), 0.01);
        load.Observe(10 * Millisecond, _clock.Now);
        Assert.Equal(10 + 190 / Math.E, Latency(load), 0.01);
    }

    [Fact]
    public void TheFasterOfTwo_IsPicked_UntilItsQueueCostsMore()
    {
        BalancerMember[] members = Members(1, 1);
        Observe(members[0], 50);
        Observe(members[1], 10);
        Assert.Equal([0, 100], Count(members, 100));
        // (4 + 1) x 10 ms is level with 1 x 50 ms; the next one is more.
        for (int i = 0; i < 5; i++) members[1].Load.Begin();
        Assert.Equal([100, 0], Count(members, 100));
    }

    [Fact]
    public void Cost_IsPerWeight()
    {
        BalancerMember[] members = Members(10, 1);
        Observe(members[0], 50);
        Observe(members[1], 10);
        Assert.Equal([100, 0], Count(members, 100));
    }

    [Fact]
    public void AMemberThatIsNotKnownYet_GetsOneRequest_UntilItAnswers()
    {
        BalancerMember[] members = Members(1, 1);
        Observe(members[0], 10);
        Assert.Equal([0, 100], Count(members, 100));
        members[1].Load.Begin();
        Assert.Equal([100, 0], Count(members, 100));
        members[1].Load.End();
        Observe(members[1], 5);
        Assert.Equal([0, 100], Count(members, 100));
    }

    [Fact]
    public void ASlowMember_IsTriedAgain_WhenItsLatencyHasFaded()
    {
        BalancerMember[] members = Members(1, 1);
        Observe(members[0], 1000);
        for (int second = 0; second < 60; second++)
        {
            Observe(members[1], 10);
            if (Count(members, 10)[0] > 0)
            {
                // 1000 / e^(t/10) is below 10 after 46 s.
                Assert.InRange(second, 45, 48);
                return;
            }
            _clock.Now += Stopwatch.Frequency;
        }
        Assert.Fail("it was never tried again");
    }

    [Fact]
    public void FromThreeEqualMembers_ASlowOneGetsLittle()
    {
        BalancerMember[] members = Members(1, 1, 1);
        Observe(members[0], 10);
        Observe(members[1], 10);
        Observe(members[2], 500);
        int[] counts = Count(members, 9000);
        Assert.Equal(0, counts[2]);
        Assert.Equal(4500, counts[0], 4500 * 0.35);
    }
}
