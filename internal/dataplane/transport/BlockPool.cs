using System.Buffers;
using System.Collections.Concurrent;

namespace Gateway.DataPlane.Transport;

/// <summary>
/// The memory of Kestrel's own pipes (streams of HTTP/2, both sides of TLS) on the connections of one loop: blocks of one size, each with
/// its owner, rented on one thread and returned on another. The shared pool makes an owner anew for each rent, and an array whenever more
/// than a few are out. Thread safe.
/// </summary>
internal sealed class BlockPool : MemoryPool<byte>
{
    // Kestrel's own block size.
    private const int BlockSize = 4096;

    // 8 MB: what is beyond goes to the collector when it comes back.
    private const int MostKept = 2048;

    private readonly ConcurrentQueue<Block> _kept = new();
    private int _count;

    public override int MaxBufferSize => BlockSize;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockSize);
        if (!_kept.TryDequeue(out Block? block)) return new Block(this);
        Interlocked.Decrement(ref _count);
        block.Lent = 1;
        return block;
    }

    private void Return(Block block)
    {
        if (Interlocked.Increment(ref _count) <= MostKept) _kept.Enqueue(block);
        else Interlocked.Decrement(ref _count);
    }

    protected override void Dispose(bool disposing) => _kept.Clear();

    private sealed class Block(BlockPool pool) : IMemoryOwner<byte>
    {
        // Set while somebody has it: returned twice, it would have two owners.
        public int Lent = 1;

        public Memory<byte> Memory { get; } = new byte[BlockSize];

        public void Dispose()
        {
            if (Interlocked.Exchange(ref Lent, 0) == 1) pool.Return(this);
        }
    }
}
