using Gateway.DataPlane.Transport;
using Xunit;

namespace Gateway.DataPlane.Tests.Transport;

public sealed class LoopTimersTests
{
    private sealed class Timer(List<Timer> fired, Action? then = null) : LoopTimer
    {
        public override void OnDue()
        {
            fired.Add(this);
            then?.Invoke();
        }
    }

    private readonly List<Timer> _fired = [];

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(100)]
    [InlineData(8_191)]
    [InlineData(8_192)]
    [InlineData(30_000)]
    [InlineData(3_600_000)]
    public void FiresOnce_NotEarlyAndAtMostTwoSlotsLate(long after)
    {
        LoopTimers timers = new(1_000);
        Timer timer = new(_fired);
        timers.Set(timer, 1_000 + after);
        long now = 1_000;
        while (_fired.Count == 0)
        {
            // As the loop does: it waits as long as the wheel says, and not longer.
            now += Math.Max(1, timers.WaitFor(now, 1000));
            timers.Advance(now);
            Assert.True(now <= 1_000 + after + 16, $"not fired at {now}");
        }
        Assert.True(now >= 1_000 + after, $"fired early, at {now}");
        timers.Advance(now + 20_000);
        Assert.Single(_fired);
    }

    [Fact]
    public void SetAgain_FiresAtTheNewTimeOnly()
    {
        LoopTimers timers = new(0);
        Timer timer = new(_fired);
        timers.Set(timer, 100);
        timers.Set(timer, 500);
        timers.Advance(499);
        Assert.Empty(_fired);
        timers.Advance(520);
        Assert.Single(_fired);
    }

    [Fact]
    public void Cleared_NeverFires_AndItsNeighboursDo()
    {
        LoopTimers timers = new(0);
        Timer[] all = [.. Enumerable.Range(0, 5).Select(_ => new Timer(_fired))];
        foreach (Timer timer in all) timers.Set(timer, 100);
        timers.Clear(all[0]);
        timers.Clear(all[2]);
        timers.Clear(all[4]);
        timers.Clear(all[4]);
        timers.Advance(200);
        Assert.Equal([all[1], all[3]], _fired.OrderBy(t => Array.IndexOf(all, t)));
    }

    [Fact]
    public void OneThatFails_TakesNoOtherWithIt()
    {
        LoopTimers timers = new(0);
        for (int i = 0; i < 3; i++) timers.Set(new Timer(_fired, static () => throw new InvalidOperationException("test")), 100);
        for (long now = 100; now < 400; now += 8)
        {
            try
            {
                timers.Advance(now);
            }
            catch (InvalidOperationException)
            {
                // Its own.
            }
        }
        Assert.Equal(3, _fired.Count);
    }

    [Fact]
    public void WhatFires_MaySetItselfAndClearOthers()
    {
        LoopTimers timers = new(0);
        Timer? again = null;
        Timer other = new(_fired);
        again = new Timer(_fired, () =>
        {
            timers.Clear(other);
            if (_fired.Count < 3) timers.Set(again!, 100 * (_fired.Count + 1));
        });
        timers.Set(again, 100);
        timers.Set(other, 150);
        for (long now = 0; now < 1000; now += 4) timers.Advance(now);
        Assert.Equal(3, _fired.Count);
        Assert.All(_fired, t => Assert.Same(again, t));
    }

    [Fact]
    public void WhatFires_MayClearAndSetOthersThatAreDueWithIt()
    {
        LoopTimers timers = new(0);
        Timer[] all = new Timer[6];
        // Whichever comes first does away with two of the others and puts a third off, among them its neighbours.
        for (int i = 0; i < all.Length; i++)
        {
            int self = i;
            all[i] = new Timer(_fired, () =>
            {
                if (_fired.Count != 1) return;
                timers.Clear(all[(self + 1) % 6]);
                timers.Clear(all[(self + 5) % 6]);
                timers.Set(all[(self + 2) % 6], 500);
            });
        }
        Timer later = new(_fired);
        foreach (Timer timer in all) timers.Set(timer, 100);
        timers.Set(later, 500);
        timers.Advance(200);
        int first = Array.IndexOf(all, _fired[0]);
        Assert.Equal([all[first], all[(first + 3) % 6], all[(first + 4) % 6]], _fired.OrderBy(t => (Array.IndexOf(all, t) - first + 6) % 6));
        timers.Advance(499);
        Assert.Equal(3, _fired.Count);
        timers.Advance(520);
        Assert.Equal(5, _fired.Count);
        Assert.Contains(all[(first + 2) % 6], _fired);
        Assert.Contains(later, _fired);
        timers.Advance(20_000);
        Assert.Equal(5, _fired.Count);
    }

    [Fact]
    public void WhatIsLeftByOneThatFailed_MayBeClearedAndIsNotWaitedFor()
    {
        LoopTimers timers = new(0);
        Timer[] left = [new(_fired), new(_fired)];
        Timer fails = new(_fired, static () => throw new InvalidOperationException("test"));
        foreach (Timer timer in (Timer[])[left[0], fails, left[1]]) timers.Set(timer, 100);
        Assert.Throws<InvalidOperationException>(() => timers.Advance(200));
        Timer[] waiting = [.. left.Where(timer => !_fired.Contains(timer))];
        Assert.NotEmpty(waiting);
        Assert.Equal(0, timers.WaitFor(200, 1000));
        timers.Clear(waiting[0]);
        timers.Advance(201);
        Assert.DoesNotContain(waiting[0], _fired);
        Assert.Equal(2, _fired.Count);
        Assert.Equal(1000, timers.WaitFor(201, 1000));
    }

    [Fact]
    public void ThousandsAtRandom_FireEachOnceInItsTime()
    {
        Random random = new(7);
        LoopTimers timers = new(0);
        List<(Timer Timer, long Due)> all = [];
        for (int i = 0; i < 1_000; i++)
        {
            Timer timer = new(_fired);
            long due = random.Next(0, 60_000);
            timers.Set(timer, due);
            all.Add((timer, due));
        }
        HashSet<Timer> seen = [];
        for (long now = 0; now < 61_000; now += random.Next(1, 40))
        {
            timers.Advance(now);
            foreach (Timer timer in _fired) Assert.True(seen.Add(timer));
            _fired.Clear();
            foreach ((Timer timer, long due) in all) Assert.Equal(due <= now - 16, seen.Contains(timer) && due <= now - 16);
        }
        Assert.Equal(all.Count, seen.Count);
    }
}
