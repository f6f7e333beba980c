using System.Buffers;
using BenchmarkDotNet.Attributes;
using Gateway.DataPlane.Transport;

namespace Gateway.Bench.Micro;

/// <summary>What a request takes from its loop, and what .NET has for the same: a deadline, and memory while 64 requests are in flight.</summary>
[MemoryDiagnoser]
public class LoopBenchmark
{
    private const int InFlight = 64;

    private readonly byte[][] _arrays = new byte[InFlight][];
    private readonly IMemoryOwner<byte>[] _blocks = new IMemoryOwner<byte>[InFlight];
    private readonly BlockPool _pool = new();
    private readonly LoopTimers _timers = new(0);
    private readonly Deadline _deadline = new();
    private readonly Timer _timer = new(static _ => { });
    private readonly CancellationTokenSource _source = new();
    private readonly PriorityQueue<Deadline, long> _queue = new();

    /// <summary>The thread that benchmarks is a loop's from here on.</summary>
    [GlobalSetup]
    public void Prepare()
    {
        LoopBuffers.Attach();
        for (int i = 0; i < 1000; i++)
        {
            _timers.Set(new Deadline(), 1000 + i);
            _queue.Enqueue(new Deadline(), 1000 + i);
        }
    }

    [Benchmark]
    public void LoopTimersSetAndClear()
    {
        _timers.Set(_deadline, 5000);
        _timers.Clear(_deadline);
    }

    [Benchmark]
    public void TimerSetAndClear()
    {
        _timer.Change(5000, Timeout.Infinite);
        _timer.Change(Timeout.Infinite, Timeout.Infinite);
    }

    [Benchmark]
    public bool CancelAfterAndReset()
    {
        _source.CancelAfter(5000);
        return _source.TryReset();
    }

    [Benchmark]
    public bool PriorityQueueSetAndClear()
    {
        _queue.Enqueue(_deadline, 5000);
        return _queue.Remove(_deadline, out _, out _);
    }

    [Benchmark]
    public void LoopBuffersOfSixtyFour()
    {
        for (int i = 0; i < InFlight; i++) _arrays[i] = LoopBuffers.Rent(4096);
        foreach (byte[] array in _arrays) LoopBuffers.Return(array);
    }

    [Benchmark]
    public void ArrayPoolOfSixtyFour()
    {
        for (int i = 0; i < InFlight; i++) _arrays[i] = ArrayPool<byte>.Shared.Rent(4096);
        foreach (byte[] array in _arrays) ArrayPool<byte>.Shared.Return(array);
    }

    [Benchmark]
    public void BlockPoolOfSixtyFour() => RentAndReturn(_pool);

    [Benchmark]
    public void SharedMemoryPoolOfSixtyFour() => RentAndReturn(MemoryPool<byte>.Shared);

    private void RentAndReturn(MemoryPool<byte> pool)
    {
        for (int i = 0; i < InFlight; i++) _blocks[i] = pool.Rent(4096);
        foreach (IMemoryOwner<byte> block in _blocks) block.Dispose();
    }

    private sealed class Deadline : LoopTimer
    {
        public override void OnDue()
        {
        }
    }
}
