using System.Collections.Concurrent;
using Gateway.DataPlane.Runtime;
using Xunit;

namespace Gateway.DataPlane.Tests.Runtime;

public sealed class SnapshotStoreTests
{
    [Fact]
    public void RetiredSnapshot_IsReleasedWithItsLastLease_AndOnlyOnce()
    {
        SnapshotStore store = new();
        List<string> released = [];
        store.Released += snapshot => released.Add(snapshot.Version);
        store.Publish(new GatewaySnapshot("a"));
        GatewaySnapshot first = store.Acquire(), second = store.Acquire();
        store.Publish(new GatewaySnapshot("b"));
        Assert.Equal(1, store.RetiredCount);
        store.Release(first);
        Assert.Empty(released);
        store.Release(second);
        Assert.Equal(["a"], released);
        store.Release(store.Acquire());
        Assert.Equal((0, "b"), (store.RetiredCount, store.Current!.Version));
        Assert.Equal(["a"], released);
    }

    [Fact]
    public void PublishingTheCurrentSnapshotAgain_RetiresNothing()
    {
        SnapshotStore store = new();
        int released = 0;
        store.Released += _ => released++;
        GatewaySnapshot only = new("a");
        store.Publish(only);
        store.Publish(only);
        Assert.Equal((0, 0), (store.RetiredCount, released));
    }

    [Fact]
    public async Task UnderConcurrentRequests_NothingHeldIsReleased_AndEachRetiredOneIsReleasedOnce()
    {
        SnapshotStore store = new();
        ConcurrentDictionary<GatewaySnapshot, int> released = [];
        store.Released += snapshot => released.AddOrUpdate(snapshot, 1, static (_, n) => n + 1);
        const int Swaps = 3000;
        store.Publish(new GatewaySnapshot("0"));
        using CancellationTokenSource done = new();
        int violations = 0;
        Task[] requests = [.. Enumerable.Range(0, 4).Select(seed => Task.Run(async () =>
        {
            Random random = new(seed);
            while (!done.IsCancellationRequested)
            {
                GatewaySnapshot snapshot = store.Acquire();
                if (random.Next(8) == 0) await Task.Yield();
                else Thread.SpinWait(random.Next(100));
                if (released.ContainsKey(snapshot)) Interlocked.Increment(ref violations);
                store.Release(snapshot);
            }
        }))];
        for (int i = 1; i <= Swaps; i++)
        {
            store.Publish(new GatewaySnapshot(i.ToString(System.Globalization.CultureInfo.InvariantCulture)));
            if (i % 16 == 0) await Task.Yield();
        }
        await done.CancelAsync();
        await Task.WhenAll(requests);
        Assert.Equal(0, store.RetiredCount);
        Assert.Equal(0, violations);
        Assert.Equal(Swaps, released.Count);
        Assert.All(released.Values, times => Assert.Equal(1, times));
    }

    [Fact]
    public async Task UnderConcurrentRequests_ACandidateThatComesAndGoes_IsReleasedOnce_AndNeverWhileItIsHeld()
    {
        SnapshotStore store = new();
        ConcurrentDictionary<GatewaySnapshot, int> released = [];
        store.Released += snapshot => released.AddOrUpdate(snapshot, 1, static (_, n) => n + 1);
        const int Rounds = 2000;
        store.Publish(new GatewaySnapshot("0"));
        using CancellationTokenSource done = new();
        int violations = 0;
        Task[] requests = [.. Enumerable.Range(0, 4).Select(seed => Task.Run(async () =>
        {
            Random random = new(seed);
            while (!done.IsCancellationRequested)
            {
                Serving serving = store.Serving!;
                GatewaySnapshot snapshot = serving.Canary is { } run && random.Next(2) == 0 ? run.Candidate : serving.Live;
                if (!store.TryHold(serving, snapshot)) continue;
                if (random.Next(8) == 0) await Task.Yield();
                else Thread.SpinWait(random.Next(100));
                if (released.ContainsKey(snapshot)) Interlocked.Increment(ref violations);
                store.Release(snapshot);
            }
        }))];
        int snapshots = 0;
        for (int i = 0; i < Rounds; i++)
        {
            CanaryRun run = new(new GatewaySnapshot("candidate"), [], null, "", new CanaryCounts([], [], TimeProvider.System));
            store.BeginCanary(run, 100);
            snapshots++;
            Assert.True(store.SetShare(5000));
            if (i % 16 == 0) await Task.Yield();
            if (i % 2 == 0)
            {
                Assert.Same(run, store.EndCanary());
                continue;
            }
            store.Publish(new GatewaySnapshot("next"));
            snapshots++;
        }
        await done.CancelAsync();
        await Task.WhenAll(requests);
        Assert.Null(store.EndCanary());
        Assert.False(store.SetShare(1));
        Assert.Equal((0, 0, snapshots), (store.RetiredCount, violations, released.Count));
        Assert.All(released.Values, static times => Assert.Equal(1, times));
    }
}
