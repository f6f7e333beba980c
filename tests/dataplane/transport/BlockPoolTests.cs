using System.Buffers;
using System.Collections.Concurrent;
using Gateway.DataPlane.Transport;
using Xunit;

namespace Gateway.DataPlane.Tests.Transport;

public sealed class BlockPoolTests
{
    private const int BlockSize = 4096;
    private const int MostKept = 2048;

    private readonly BlockPool _pool = new();

    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(BlockSize)]
    public void ABlock_IsAlwaysOfOneSize(int size)
    {
        using IMemoryOwner<byte> block = _pool.Rent(size);
        Assert.Equal(BlockSize, block.Memory.Length);
        Assert.Equal(BlockSize, _pool.MaxBufferSize);
    }

    [Fact]
    public void MoreThanABlock_IsRefused() => Assert.Throws<ArgumentOutOfRangeException>(() => _pool.Rent(BlockSize + 1));

    [Fact]
    public void AReturnedBlock_IsRentedAgain_WithItsOwner()
    {
        IMemoryOwner<byte> first = _pool.Rent();
        Assert.NotSame(first, _pool.Rent());
        first.Dispose();
        Assert.Same(first, _pool.Rent());
    }

    [Fact]
    public void ABlockReturnedTwice_HasOneNextOwner()
    {
        IMemoryOwner<byte> block = _pool.Rent();
        block.Dispose();
        block.Dispose();
        Assert.Same(block, _pool.Rent());
        Assert.NotSame(block, _pool.Rent());
    }

    [Fact]
    public void SoManyAreKept_AndNoMore()
    {
        IMemoryOwner<byte>[] blocks = [.. Enumerable.Range(0, MostKept + 10).Select(_ => _pool.Rent())];
        foreach (IMemoryOwner<byte> block in blocks) block.Dispose();
        var known = new HashSet<IMemoryOwner<byte>>(blocks, ReferenceEqualityComparer.Instance);
        Assert.Equal(MostKept, Enumerable.Range(0, blocks.Length).Select(_ => _pool.Rent()).Count(known.Contains));
    }

    [Fact]
    public void Threads_NeverHaveOneBlock()
    {
        // Rented on one thread and returned on another, as the pipes of HTTP/2 streams do.
        var passed = new ConcurrentQueue<IMemoryOwner<byte>>();
        Parallel.For(1, 5, mark =>
        {
            for (int i = 0; i < 50_000; i++)
            {
                IMemoryOwner<byte> block = _pool.Rent();
                block.Memory.Span[..32].Fill((byte)mark);
                if (passed.TryDequeue(out IMemoryOwner<byte>? others)) others.Dispose();
                Assert.False(block.Memory.Span[..32].ContainsAnyExcept((byte)mark));
                if (i % 2 == 0) passed.Enqueue(block);
                else block.Dispose();
            }
        });
    }
}
