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
}
