using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;
using Gateway.DataPlane.Transport;
using Xunit;

namespace Gateway.DataPlane.Tests.Transport;

public sealed class LoopTaskMethodBuilderTests
{
    /// <summary>What a method under test waits for: ended by the test, on the test's thread.</summary>
    private sealed class Signal : IValueTaskSource<int>
    {
        private ManualResetValueTaskSourceCore<int> _core;

        public ValueTask<int> Task => new(this, _core.Version);

        public void End(int value) => _core.SetResult(value);

        public void Fail(Exception e) => _core.SetException(e);

        public int GetResult(short token)
        {
            try { return _core.GetResult(token); }
            finally { _core.Reset(); }
        }

        public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

        public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) => _core.OnCompleted(continuation, state, token, flags);
    }

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder<>))]
    private static async ValueTask<string> ReadAsync(Signal signal, string prefix = "") => prefix + await signal.Task;

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder<>))]
    private static async ValueTask<int> SumAsync(Signal first, Signal second) => await first.Task + await second.Task;

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder))]
    private static async ValueTask StoreAsync(Signal signal, int[] to) => to[0] = await signal.Task;

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder<>))]
    private static async ValueTask<int> AtOnceAsync(bool fails)
    {
        await ValueTask.CompletedTask;
        return fails ? throw new InvalidDataException("before waiting") : 7;
    }

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder))]
    private static async ValueTask NothingAtOnceAsync(bool fails)
    {
        await ValueTask.CompletedTask;
        if (fails) throw new InvalidDataException("before waiting");
    }

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder<>))]
    private static async ValueTask<int> NestAsync(int depth, Signal innermost) => depth == 0 ? await innermost.Task : 1 + await NestAsync(depth - 1, innermost);

    [Fact]
    public async Task AMethodThatNeedNotWait_HasItsResultOrFailureAtOnce()
    {
        ValueTask<int> good = AtOnceAsync(fails: false), bad = AtOnceAsync(fails: true);
        Assert.True(good.IsCompletedSuccessfully && bad.IsFaulted);
        Assert.Equal(7, await good);
        Assert.Equal("before waiting", (await Assert.ThrowsAsync<InvalidDataException>(async () => await bad)).Message);
        ValueTask nothing = NothingAtOnceAsync(fails: false);
        Assert.True(nothing.IsCompletedSuccessfully);
        await nothing;
        await Assert.ThrowsAsync<InvalidDataException>(async () => await NothingAtOnceAsync(fails: true));
    }

    [Fact]
    public void AMethodThatWaits_EndsWhenWhatItWaitsForDoes() => OwnThread.Run(static () =>
    {
        Signal first = new(), second = new();
        ValueTask<int> sum = SumAsync(first, second);
        Assert.False(sum.IsCompleted);
        first.End(1);
        Assert.False(sum.IsCompleted);
        second.End(2);
        Assert.True(sum.IsCompletedSuccessfully);
        Assert.Equal(3, sum.GetAwaiter().GetResult());
        int[] to = [0];
        ValueTask store = StoreAsync(first, to);
        first.End(5);
        store.GetAwaiter().GetResult();
        Assert.Equal(5, to[0]);
    });

    [Fact]
    public void AFailureAfterAWait_IsTheAwaiters_AndTheNextCallIsSound() => OwnThread.Run(static () =>
    {
        var signal = new Signal();
        for (int i = 0; i < 3; i++)
        {
            ValueTask<string> failing = ReadAsync(signal);
            signal.Fail(new InvalidDataException($"failure {i}"));
            Assert.True(failing.IsFaulted);
            Assert.Equal($"failure {i}", Assert.Throws<InvalidDataException>(() => failing.GetAwaiter().GetResult()).Message);
            ValueTask<string> sound = ReadAsync(signal, "got ");
            signal.End(i);
            Assert.Equal($"got {i}", sound.GetAwaiter().GetResult());
        }
    });

    [Fact]
    public void AResultTakenTwice_OrBeforeItIsThere_IsRefused() => OwnThread.Run(static () =>
    {
        var signal = new Signal();
        ValueTask<string> early = ReadAsync(signal);
        Assert.Throws<InvalidOperationException>(() => early.GetAwaiter().GetResult());
        signal.End(1);
        Assert.Equal("1", early.GetAwaiter().GetResult());
        Assert.Throws<InvalidOperationException>(() => early.GetAwaiter().GetResult());

        // The second take must not have given the object back twice: two calls after it are two objects.
        Signal one = new(), two = new();
        ValueTask<string> a = ReadAsync(one, "a"), b = ReadAsync(two, "b");
        Assert.Throws<InvalidOperationException>(() => early.GetAwaiter().GetResult());
        two.End(2);
        one.End(1);
        Assert.Equal(("a1", "b2"), (a.GetAwaiter().GetResult(), b.GetAwaiter().GetResult()));
    });

    [Theory]
    [InlineData(1)]
    [InlineData(50)]
    public void Calls_Nest(int depth) => OwnThread.Run(() =>
    {
        var signal = new Signal();
        for (int i = 0; i < 3; i++)
        {
            ValueTask<int> outer = NestAsync(depth, signal);
            Assert.False(outer.IsCompleted);
            signal.End(i);
            Assert.Equal(depth + i, outer.GetAwaiter().GetResult());
        }
    });

    [Fact]
    public void AFailureInANestedCall_ReachesTheOutermost() => OwnThread.Run(static () =>
    {
        var signal = new Signal();
        ValueTask<int> outer = NestAsync(10, signal);
        signal.Fail(new InvalidDataException("innermost"));
        Assert.Equal("innermost", Assert.Throws<InvalidDataException>(() => outer.GetAwaiter().GetResult()).Message);
    });

    [Theory]
    [InlineData(64)]
    [InlineData(3000)]
    public void ManyThatWaitAtOnce_EachHaveTheirOwnState(int count) => OwnThread.Run(() =>
    {
        Signal[] signals = [.. Enumerable.Range(0, count).Select(static _ => new Signal())];
        // Twice: the second time in objects that the first has left behind, more or fewer than there are calls.
        for (int round = 0; round < 2; round++)
        {
            ValueTask<string>[] reads = [.. signals.Select((signal, i) => ReadAsync(signal, $"{i}:"))];
            foreach (int i in Enumerable.Range(0, count).OrderBy(static i => i * 7919 % 1009)) signals[i].End(i + round);
            for (int i = 0; i < count; i++) Assert.Equal($"{i}:{i + round}", reads[i].GetAwaiter().GetResult());
        }
    });

    [Fact]
    public void ACallAfterAnother_UsesItsObjectAgain() => OwnThread.Run(static () =>
    {
        var signal = new Signal();
        int[] to = [0];
        void Once()
        {
            ValueTask store = StoreAsync(signal, to);
            signal.End(1);
            store.GetAwaiter().GetResult();
        }
        Once();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++) Once();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    });

    [Fact]
    public void WhatAMethodHeld_IsNotHeldByItsObject() => OwnThread.Run(static () =>
    {
        WeakReference held = HoldAndEnd();
        GC.Collect();
        Assert.False(held.IsAlive);

        [MethodImpl(MethodImplOptions.NoInlining)]
        static WeakReference HoldAndEnd()
        {
            var signal = new Signal();
            int[] to = [0];
            ValueTask store = StoreAsync(signal, to);
            signal.End(1);
            store.GetAwaiter().GetResult();
            return new WeakReference(to);
        }
    });

    [Fact]
    public async Task AMethodMayEndOnAnotherThread_ThanItBegan()
    {
        // 10 000 ends on whichever pool thread has time, each taken up by an ordinary await.
        await Parallel.ForAsync(0, 10_000, async (i, _) =>
        {
            var signal = new Signal();
            ValueTask<string> read = ReadAsync(signal, $"{i}:");
            ThreadPool.UnsafeQueueUserWorkItem(static s => s.signal.End(s.i), (signal, i), preferLocal: false);
            Assert.Equal($"{i}:{i}", await read);
        });
    }
}
