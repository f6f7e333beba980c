using System.Buffers;
using Gateway.DataPlane.Transport;
using Xunit;

namespace Gateway.DataPlane.Tests.Transport;

public sealed class LoopBuffersTests
{
    private const int Smallest = 4096;
    private const int Largest = 131072;

    private static void SkipWhereLeaksAreTracked() => Assert.SkipWhen(LeakTracker.Running is not null, "these tests keep buffers on purpose");

    /// <summary>On a thread that is a loop's from the start.</summary>
    private static void OnLoopThread(Action test)
    {
        SkipWhereLeaksAreTracked();
        OwnThread.Run(() =>
        {
            LoopBuffers.Attach();
            test();
        });
    }

    [Theory]
    [InlineData(0, 4096)]
    [InlineData(1, 4096)]
    [InlineData(4096, 4096)]
    [InlineData(4097, 8192)]
    [InlineData(65536, 65536)]
    [InlineData(65537, 131072)]
    [InlineData(131072, 131072)]
    public void ALength_IsTheNextPowerOfTwo_NewAndUsedAgain(int size, int length) => OnLoopThread(() =>
    {
        byte[] first = LoopBuffers.Rent(size);
        Assert.Equal(length, first.Length);
        LoopBuffers.Return(first);
        Assert.Same(first, LoopBuffers.Rent(size));
    });

    [Fact]
    public void TheLastReturned_IsTheFirstRented() => OnLoopThread(() =>
    {
        byte[][] buffers = [.. Enumerable.Range(0, 100).Select(static _ => LoopBuffers.Rent(Smallest))];
        Assert.Equal(100, buffers.Distinct().Count());
        foreach (byte[] buffer in buffers) LoopBuffers.Return(buffer);
        foreach (byte[] buffer in buffers.Reverse()) Assert.Same(buffer, LoopBuffers.Rent(Smallest));
    });

    [Fact]
    public void EachSize_HasItsOwn() => OnLoopThread(() =>
    {
        byte[] small = LoopBuffers.Rent(Smallest), large = LoopBuffers.Rent(Smallest * 2);
        LoopBuffers.Return(large);
        LoopBuffers.Return(small);
        Assert.Same(large, LoopBuffers.Rent(Smallest + 1));
        Assert.Same(small, LoopBuffers.Rent(Smallest));
    });

    [Theory]
    [InlineData(Largest + 1)]
    [InlineData(1_000_000)]
    public void WhatIsLargerThanTheLargest_GoesToTheSharedPool(int size) => OnLoopThread(() =>
    {
        byte[] buffer = LoopBuffers.Rent(size);
        Assert.InRange(buffer.Length, size, int.MaxValue);
        LoopBuffers.Return(buffer);
        Assert.Same(buffer, ArrayPool<byte>.Shared.Rent(size));
    });

    [Fact]
    public void OfASize_FourMegabytesAreKept_AndNoMore() => OnLoopThread(() =>
    {
        const int kept = 4 * 1024 * 1024 / Largest;
        // Not rented, so that it is no matter what the shared pool has of them.
        byte[][] buffers = [.. Enumerable.Range(0, kept + 1).Select(static _ => new byte[Largest])];
        foreach (byte[] buffer in buffers) LoopBuffers.Return(buffer);
        for (int i = kept - 1; i >= 0; i--) Assert.Same(buffers[i], LoopBuffers.Rent(Largest));
    });

    [Fact]
    public void ATrim_TakesHalfOfWhatWasNotNeeded_TimeAndAgain() => OnLoopThread(static () =>
    {
        byte[][] buffers = Fill(8);
        // The first only begins to look: until now there was a moment at which none lay here.
        LoopBuffers.Trim();
        Assert.Same(buffers[7], Next());
        // Each look needs one, and half of the others goes: 4 of 7, 2 of 3, 1 of 1.
        foreach (int top in new[] { 3, 1, 0 })
        {
            LoopBuffers.Trim();
            Assert.Same(buffers[top], Next());
        }
    });

    [Theory]
    [InlineData(8, 7)]
    [InlineData(7, 6)]
    [InlineData(6, 6)]
    [InlineData(1, 3)]
    public void ATrim_LeavesWhatWasNeededSinceTheLastOne(int needed, int top) => OnLoopThread(() =>
    {
        byte[][] buffers = Fill(8);
        LoopBuffers.Trim();
        byte[][] used = [.. Enumerable.Range(0, needed).Select(static _ => LoopBuffers.Rent(Smallest))];
        foreach (byte[] buffer in used.Reverse()) LoopBuffers.Return(buffer);
        LoopBuffers.Trim();
        Assert.Same(buffers[top], Next());
    });

    [Fact]
    public void WhatAnotherThreadReturns_IsThatThreads() => OnLoopThread(() =>
    {
        byte[] buffer = LoopBuffers.Rent(Smallest);
        OwnThread.Run(() =>
        {
            LoopBuffers.Attach();
            LoopBuffers.Return(buffer);
            Assert.Same(buffer, LoopBuffers.Rent(Smallest));
        });
        Assert.NotSame(buffer, LoopBuffers.Rent(Smallest));
    });

    [Fact]
    public void AThreadThatIsNoLoops_RentsAndReturns() => OwnThread.Run(static () =>
    {
        byte[] buffer = LoopBuffers.Rent(5000);
        Assert.Equal(8192, buffer.Length);
        LoopBuffers.Return(buffer);
        LoopBuffers.Trim();
    });

    [Fact]
    public void TwoThreads_NeverHaveOneBuffer()
    {
        // Here, for a skip inside the loops below would be a failure of one of them.
        SkipWhereLeaksAreTracked();
        // Each writes its own mark into what it rents and finds it there later, while buffers wander from one thread to the other.
        var passed = new System.Collections.Concurrent.ConcurrentQueue<byte[]>();
        Parallel.For(1, 5, mark => OnLoopThread(() =>
        {
            for (int i = 0; i < 20_000; i++)
            {
                byte[] buffer = passed.TryDequeue(out byte[]? wandering) ? wandering : LoopBuffers.Rent(Smallest << (i % 3));
                buffer.AsSpan(0, 64).Fill((byte)mark);
                if (i % 7 == 0) LoopBuffers.Trim();
                Assert.False(buffer.AsSpan(0, 64).ContainsAnyExcept((byte)mark));
                if (i % 5 == 0) passed.Enqueue(buffer);
                else LoopBuffers.Return(buffer);
            }
        }));
    }

    /// <summary>So many that no pool has ever seen, returned in this order.</summary>
    private static byte[][] Fill(int count)
    {
        byte[][] buffers = [.. Enumerable.Range(0, count).Select(static _ => new byte[Smallest])];
        foreach (byte[] buffer in buffers) LoopBuffers.Return(buffer);
        return buffers;
    }

    /// <summary>What would be rented next.</summary>
    private static byte[] Next()
    {
        byte[] buffer = LoopBuffers.Rent(Smallest);
        LoopBuffers.Return(buffer);
        return buffer;
    }
}
