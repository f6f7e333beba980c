using FsCheck;
using FsCheck.Fluent;
using Gateway.Core.Retry;

namespace Gateway.Core.Tests.Retry;

public sealed class RetryBudgetTests
{
    private const long Second = 1000;
    private static readonly RetryBudgetSettings Defaults = new();

    private static int TakeAll(RetryBudget budget, long now)
    {
        int taken = 0;
        while (taken < 100_000 && budget.TryTake(now)) taken++;
        return taken;
    }

    [Fact]
    public void WithoutTraffic_ThreeASecondAreAllowed_OverTenSeconds()
    {
        var budget = new RetryBudget(Defaults, Second);
        Assert.Equal(30, TakeAll(budget, 5 * Second));
        Assert.Equal(1, budget.Refused);
        Assert.Equal(new RetryBudgetReading(0, 30, 30), budget.Read(5 * Second));
        // They count for ten seconds, to the end of the bucket that they were taken in.
        Assert.Equal(0, TakeAll(budget, (16 * Second) - 1));
        Assert.Equal(30, TakeAll(budget, 16 * Second));
    }

    [Fact]
    public void WithTraffic_AFifthOfTheRequests_AndNotOneMore()
    {
        var budget = new RetryBudget(Defaults, Second);
        for (int i = 0; i < 1000; i++) budget.Request(5 * Second);
        Assert.Equal(200, TakeAll(budget, 6 * Second));
        for (int i = 0; i < 4; i++) budget.Request(6 * Second);
        Assert.False(budget.TryTake(6 * Second));
        budget.Request(6 * Second);
        Assert.True(budget.TryTake(6 * Second));
        Assert.False(budget.TryTake(6 * Second));
    }

    [Fact]
    public void RequestsCount_ForNineToTenSeconds()
    {
        var budget = new RetryBudget(Defaults, Second);
        for (int i = 0; i < 1000; i++) budget.Request(5 * Second);
        Assert.Equal(200, budget.Read((15 * Second) - 1).Allowed);
        Assert.Equal(30, budget.Read(15 * Second).Allowed);
    }

    [Fact]
    public void ABudgetOfNothing_AllowsNothing()
    {
        var budget = new RetryBudget(new RetryBudgetSettings(0, 0), Second);
        for (int i = 0; i < 1000; i++) budget.Request(0);
        Assert.False(budget.TryTake(0));
    }

    private static Arbitrary<List<(int Wait, bool Retry)>> Traffic()
    {
        Gen<(int, bool)> step = from wait in Gen.Frequency((30, Gen.Choose(0, 20)), (3, Gen.Choose(0, 900)), (1, Gen.Choose(0, 15_000)))
                                from retry in Gen.Elements(true, true, false)
                                select (wait, retry);
        return step.ListOf().Resize(2000).ToArbitrary();
    }

    /// <summary>The two promises of the type's description, checked against lists of everything that happened.</summary>
    [Fact]
    public void TheBudget_IsNeverExceeded()
    {
        long granted = 0, asked = 0;
        Prop.ForAll(Traffic(), steps =>
        {
            var settings = new RetryBudgetSettings(20, 1);
            var budget = new RetryBudget(settings, Second);
            List<long> requests = [], spent = [];
            long now = 0;
            foreach ((int wait, bool retry) in steps)
            {
                now += wait;
                if (!retry)
                {
                    budget.Request(now);
                    requests.Add(now);
                    continue;
                }
                asked++;
                if (!budget.TryTake(now)) continue;
                granted++;
                spent.Add(now);
                long inWindow = spent.Count(t => t > now - (10 * Second)), of = requests.Count(t => t > now - (10 * Second));
                if (inWindow > Math.Max(of * 20 / 100, 10)) throw new InvalidOperationException($"{inWindow} of {of} at {now}");
                // One bound over everything: attempts ≤ (1 + percent) × requests + floor.
                double bound = (requests.Count * 1.2) + (((now / (double)Second) + 10) * settings.MinPerSecond);
                if (requests.Count + spent.Count > bound) throw new InvalidOperationException($"{requests.Count} + {spent.Count} attempts > {bound} at {now}");
            }
        }).Check(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(150));
        Assert.InRange(granted, asked / 100, asked * 9 / 10);
    }

    [Fact]
    public async Task ManyThreads_TakeNoMoreThanThereIs()
    {
        var budget = new RetryBudget(Defaults, Second);
        const int Requests = 100_000;
        int taken = 0;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            for (int i = 0; i < Requests / 4; i++)
            {
                budget.Request(i / 20_000 * 100);
                if (budget.TryTake(i / 20_000 * 100)) Interlocked.Increment(ref taken);
            }
        })));
        Assert.InRange(taken, Requests / 10, Requests / 5);
        Assert.Equal(Requests / 5, taken + TakeAll(budget, 200));
    }
}
