using Gateway.Core.Limits;

namespace Gateway.Core.Tests.Limits;

public sealed class LeaseCounterTests
{
    [Fact]
    public void Held_IsEntriesLessExits()
    {
        var counter = new LeaseCounter();
        Assert.Equal(0, counter.Held);
        counter.Enter();
        counter.Enter();
        Assert.Equal(2, counter.Held);
        counter.Leave();
        counter.Leave();
        Assert.Equal(0, counter.Held);
    }

    [Fact]
    public async Task WhileSomeoneHolds_ItNeverReadsAsZero_WhateverTheOthersDo()
    {
        var counter = new LeaseCounter();
        using var stop = new CancellationTokenSource();
        // Leases have no identity: this one stands as well for a chain in which each is taken before the last is given back.
        counter.Enter();
        Task[] holders = [.. Enumerable.Range(0, 3).Select(_ => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                counter.Enter();
                await Task.Yield();
                counter.Leave();
            }
        }))];
        long lowest = long.MaxValue;
        for (int i = 0; i < 300_000; i++) lowest = Math.Min(lowest, counter.Held);
        await stop.CancelAsync();
        await Task.WhenAll(holders);
        Assert.True(lowest >= 1, $"read {lowest}");
        Assert.Equal(1, counter.Held);
    }

    [Fact]
    public async Task WhenAllHaveLeft_ItReadsZero()
    {
        var counter = new LeaseCounter();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            for (int i = 0; i < 20_000; i++)
            {
                counter.Enter();
                if (i % 64 == 0) await Task.Yield();
                counter.Leave();
            }
        })));
        Assert.Equal(0, counter.Held);
    }
}
