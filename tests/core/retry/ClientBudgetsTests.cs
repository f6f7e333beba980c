using FsCheck;
using FsCheck.Fluent;
using Gateway.Core.Retry;

namespace Gateway.Core.Tests.Retry;

public sealed class ClientBudgetsTests
{
    private const long Second = 1000;
    private static readonly RetryBudgetSettings Settings = new(20, 1);

    private static int TakeAll(ClientBudgets budgets, ulong key, long now)
    {
        int taken = 0;
        while (taken < 100_000 && budgets.TryTake(key, now)) taken++;
        return taken;
    }

    [Fact]
    public void EachClient_HasItsOwn()
    {
        var budgets = new ClientBudgets(Settings, Second);
        for (int i = 0; i < 100; i++) budgets.Request(7, 5 * Second);
        for (int i = 0; i < 10; i++) budgets.Request(7 + 1024, 5 * Second);
        Assert.Equal(20, TakeAll(budgets, 7, 5 * Second));
        Assert.Equal(10, TakeAll(budgets, 7 + 1024, 5 * Second));
        Assert.False(budgets.TryTake(7, (16 * Second) - 1));
        Assert.True(budgets.TryTake(7, 16 * Second));
    }

    [Fact]
    public void WhatIsGivenBack_MayBeTakenAgain_AndNoMore()
    {
        var budgets = new ClientBudgets(Settings, Second);
        budgets.GiveBack(7, 5 * Second);
        Assert.Equal(10, TakeAll(budgets, 7, 5 * Second));
        budgets.GiveBack(7, 5 * Second);
        budgets.GiveBack(7, 5 * Second);
        budgets.GiveBack(8, 5 * Second);
        Assert.Equal(2, TakeAll(budgets, 7, 5 * Second));
        Assert.Equal(10, TakeAll(budgets, 8, 5 * Second));
    }

    [Fact]
    public void RequestsOlderThanTheWindow_AllowNothing()
    {
        var budgets = new ClientBudgets(Settings, Second);
        for (int i = 0; i < 1000; i++) budgets.Request(7, 5 * Second);
        Assert.Equal(10, TakeAll(budgets, 7, 15 * Second));
    }

    [Fact]
    public void AFifthClientOfASet_HasNone_UntilOneOfTheFourWasSilentForTheWindow()
    {
        var budgets = new ClientBudgets(Settings, Second, clients: 4);
        for (ulong key = 1; key <= 4; key++) budgets.Request(key, 5 * Second);
        budgets.Request(5, 5 * Second);
        Assert.False(budgets.TryTake(5, 5 * Second));
        for (ulong key = 1; key <= 3; key++) budgets.Request(key, 8 * Second);
        Assert.False(budgets.TryTake(5, (16 * Second) - 1));
        Assert.Equal(10, TakeAll(budgets, 5, 16 * Second));
        Assert.Equal(10, TakeAll(budgets, 1, 16 * Second));
    }

    [Fact]
    public void ManyClients_TakeNoMoreMemoryThanTheTable()
    {
        var budgets = new ClientBudgets(Settings, Second, clients: 64);
        for (ulong key = 0; key < 64; key++) budgets.Request(key, 0);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (ulong key = 0; key < 100_000; key++) budgets.Request(key * 0x9E3779B97F4A7C15, (long)key);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void TheNumberOfClients_IsAPowerOfTwo() => Assert.Throws<ArgumentOutOfRangeException>(static () => new ClientBudgets(Settings, Second, clients: 100));

    private sealed class Told
    {
        public List<long> Requests { get; } = [];
        public List<long> Spent { get; } = [];
    }

    /// <summary>Each client's bound, checked against lists of everything that each of them did; more of them than there is room for.</summary>
    [Fact]
    public void NoClientsBudget_IsEverExceeded_WhateverTheOthersDo()
    {
        Gen<(int Client, int Wait, bool Retry)> step =
            from client in Gen.Choose(1, 6)
            from wait in Gen.Frequency((30, Gen.Choose(0, 30)), (3, Gen.Choose(0, 900)), (1, Gen.Choose(0, 12_000)))
            from retry in Gen.Elements(true, true, false)
            select (client, wait, retry);
        long granted = 0, refused = 0;
        Prop.ForAll(step.ListOf().Resize(1500).ToArbitrary(), steps =>
        {
            var budgets = new ClientBudgets(Settings, Second, clients: 4);
            Dictionary<int, Told> clients = [];
            long now = 0;
            foreach ((int client, int wait, bool retry) in steps)
            {
                now += wait;
                if (!clients.TryGetValue(client, out Told? told)) clients.Add(client, told = new Told());
                if (!retry)
                {
                    budgets.Request((ulong)client, now);
                    told.Requests.Add(now);
                    continue;
                }
                if (!budgets.TryTake((ulong)client, now))
                {
                    refused++;
                    continue;
                }
                granted++;
                told.Spent.Add(now);
                long inWindow = told.Spent.Count(t => t > now - (10 * Second)), of = told.Requests.Count(t => t > now - (10 * Second));
                if (inWindow > Math.Max(of * Settings.Percent / 100, 10)) throw new InvalidOperationException($"client {client}: {inWindow} of {of} at {now}");
            }
        }).Check(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(150));
        Assert.True(granted > 1000 && refused > 1000, $"{granted} granted and {refused} refused say little");
    }
}
