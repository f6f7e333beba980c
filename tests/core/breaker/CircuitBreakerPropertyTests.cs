using FsCheck;
using FsCheck.Fluent;
using Gateway.Core.Breaker;

namespace Gateway.Core.Tests.Breaker;

/// <summary>Whatever comes in whatever order, an upstream that is well again gets its requests again.</summary>
public sealed class CircuitBreakerPropertyTests
{
    private static readonly TimeProvider Clock = TimeProvider.System;
    private static readonly BreakerSettings Settings = new() { MinRequests = 3, Probes = 3 };

    private static long Ticks(TimeSpan span) => (long)(span.TotalSeconds * Clock.TimestampFrequency);

    [Fact]
    public void WhateverHappened_ItNeverWedges_AndNeverLetsMoreProbesThrough()
    {
        Gen<(int Kind, int Amount)> step = from kind in Gen.Choose(0, 9) from amount in Gen.Choose(0, 1000) select (kind, amount);
        int probed = 0, opened = 0;
        Prop.ForAll(step.ListOf().Resize(200).ToArbitrary(), steps =>
        {
            var breaker = new CircuitBreaker(Settings, Clock);
            List<BreakerPermit> held = [];
            long now = Ticks(TimeSpan.FromSeconds(100));
            // Of the probes that were let through, those that may still count: since it went half-open, or since they were given up.
            int out_ = 0;
            foreach ((int kind, int amount) in steps)
            {
                BreakerState before = breaker.State;
                switch (kind)
                {
                    case < 5:
                        if (!breaker.TryEnter(now, out BreakerPermit permit)) break;
                        held.Add(permit);
                        if (!permit.IsProbe) break;
                        probed++;
                        out_ = before == BreakerState.HalfOpen && out_ < Settings.Probes ? out_ + 1 : 1;
                        if (out_ > Settings.Probes) throw new InvalidOperationException("too many probes");
                        break;
                    case < 8:
                        if (held.Count == 0) break;
                        int which = amount % held.Count;
                        BreakerOutcome outcome = (BreakerOutcome)(kind - 5);
                        bool counted = held[which].IsProbe && outcome == BreakerOutcome.Abandoned && breaker.State == BreakerState.HalfOpen;
                        if (breaker.Leave(held[which], outcome, now) == BreakerState.Open) opened++;
                        // Now and then a success is taken back.
                        if (outcome == BreakerOutcome.Success && amount % 5 == 0 && breaker.TakeBack(held[which], now) == BreakerState.Open) opened++;
                        // A place freed by an earlier term's probe frees nothing; assuming that it did only makes the check weaker.
                        if (counted) out_--;
                        held.RemoveAt(which);
                        break;
                    default:
                        now += Ticks(TimeSpan.FromMilliseconds(amount * (kind == 8 ? 5 : 70)));
                        break;
                }
            }
            // Everything that was cancelled has come back, in any order; what is lost for good is given up after the longest open time.
            for (int i = 0; i < held.Count; i++) if (i % 3 != 0) breaker.Leave(held[i], BreakerOutcome.Abandoned, now);
            now += Ticks(Settings.MaxOpen);
            for (int i = 0; i < Settings.Probes && breaker.TryEnter(now, out BreakerPermit permit); i++)
                breaker.Leave(permit, BreakerOutcome.Success, now);
            // A place may be with a probe that was lost: its term ends with the longest open time.
            if (breaker.State != BreakerState.Closed)
            {
                now += Ticks(Settings.MaxOpen);
                for (int i = 0; i < Settings.Probes; i++)
                {
                    if (!breaker.TryEnter(now, out BreakerPermit permit)) throw new InvalidOperationException($"wedged in {breaker.State}");
                    breaker.Leave(permit, BreakerOutcome.Success, now);
                }
            }
            if (breaker.State != BreakerState.Closed) throw new InvalidOperationException($"still {breaker.State}");
        }).Check(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(1500));
        Assert.True(probed > 1000 && opened > 500, $"{probed} probes and {opened} openings say little");
    }

    [Fact]
    public async Task ManyThreads_WhoseProbesAreOftenCancelled_NeverWedgeIt()
    {
        var breaker = new CircuitBreaker(new BreakerSettings { Open = TimeSpan.FromMilliseconds(1), MaxOpen = TimeSpan.FromMilliseconds(4), MinRequests = 5 }, Clock);
        long inProbe = 0, mostProbes = 0, entered = 0;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(thread => Task.Run(() =>
        {
            var random = new Random(thread);
            long begun = Clock.GetTimestamp();
            // Long enough to say something, also on a machine that is busy with other things.
            while (Clock.GetElapsedTime(begun) is var passed && (passed < TimeSpan.FromMilliseconds(400) || (breaker.Opened <= 5 && passed < TimeSpan.FromSeconds(30))))
            {
                if (!breaker.TryEnter(Clock.GetTimestamp(), out BreakerPermit permit)) continue;
                Interlocked.Increment(ref entered);
                if (permit.IsProbe)
                {
                    long now = Interlocked.Increment(ref inProbe);
                    if (now > Volatile.Read(ref mostProbes)) Volatile.Write(ref mostProbes, now);
                    Interlocked.Decrement(ref inProbe);
                }
                int drawn = random.Next(10);
                breaker.Leave(permit, drawn < 5 ? BreakerOutcome.Abandoned : drawn < 7 ? BreakerOutcome.Success : BreakerOutcome.Failure, Clock.GetTimestamp());
            }
        })));
        Assert.InRange(mostProbes, 1, 5);
        Assert.True(breaker.Opened > 5, $"opened only {breaker.Opened} times over {entered} requests");

        long late = Clock.GetTimestamp() + Ticks(TimeSpan.FromSeconds(1));
        for (int i = 0; i < 5; i++)
        {
            Assert.True(breaker.TryEnter(late, out BreakerPermit permit));
            breaker.Leave(permit, BreakerOutcome.Success, late);
        }
        Assert.Equal(BreakerState.Closed, breaker.State);
    }
}
