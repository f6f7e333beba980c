using System.Buffers;
using BenchmarkDotNet.Attributes;
using Gateway.DataPlane.Obs;

namespace Gateway.Bench.Micro;

/// <summary>What a request pays for its counters, and what a scrape costs.</summary>
[MemoryDiagnoser]
public class MetricsBenchmark
{
    private const int Each = 50_000;
    private readonly ArrayBufferWriter<byte> _scrape = new(4 << 20);
    private GatewayMetrics _metrics = null!;
    private RouteMetrics _route = null!;
    private PoolMetrics _pool = null!;
    private RouteMetrics[] _routes = [];
    private readonly SharedCounters _shared = new();

    [Params(1, 100_000)]
    public int Routes { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        _metrics = new GatewayMetrics();
        _routes = new RouteMetrics[Routes];
        for (int i = 0; i < Routes; i++)
        {
            _routes[i] = _metrics.Route($"route-{i}");
            _metrics.Attach(_routes[i]);
            _routes[i].Record(200, 0, 1_000_000);
        }
        _route = _routes[0];
        _pool = _metrics.Pool("pool");
    }

    [Benchmark]
    public void RecordRequest() => _route.Record(200, 0, 1_234_567);

    /// <summary>From two loops at once, of which each has its own block; an operation is one of one of them.</summary>
    [Benchmark(OperationsPerInvoke = Each)]
    public void RecordRequest_TwoThreads() => OnTwoThreads(() => _route.Record(200, 0, 1_234_567));

    /// <summary>The same figures as words that all share.</summary>
    [Benchmark]
    public void SharedWords() => _shared.Record(1_234_567);

    [Benchmark(OperationsPerInvoke = Each)]
    public void SharedWords_TwoThreads() => OnTwoThreads(() => _shared.Record(1_234_567));

    [Benchmark]
    public void RecordAttempt() => _pool.RecordAttempt(0, 1_234_567);

    private static void OnTwoThreads(Action record)
    {
        Task other = Task.Run(() => Repeat(record));
        Repeat(record);
        other.GetAwaiter().GetResult();
    }

    private static void Repeat(Action record)
    {
        for (int i = 0; i < Each; i++) record();
    }

    /// <summary>What one would write first: a counter, a sum, and a bucket of a histogram.</summary>
    private sealed class SharedCounters
    {
        private readonly long[] _buckets = new long[32];
        private long _count, _sum;

        public void Record(long ticks)
        {
            Interlocked.Increment(ref _count);
            Interlocked.Add(ref _sum, ticks);
            Interlocked.Increment(ref _buckets[System.Numerics.BitOperations.Log2((ulong)ticks) & 31]);
        }
    }

    [Benchmark]
    public int Scrape()
    {
        foreach (RouteMetrics route in _routes) route.Record(200, 0, 1_000_000);
        _scrape.ResetWrittenCount();
        _metrics.Write(_scrape, openMetrics: false);
        return _scrape.WrittenCount;
    }
}
