using System.Buffers;
using BenchmarkDotNet.Attributes;
using Gateway.DataPlane.Obs;

namespace Gateway.Bench.Micro;

/// <summary>What a request pays for its counters, and what a scrape costs.</summary>
[MemoryDiagnoser]
public class MetricsBenchmark
{
    private readonly ArrayBufferWriter<byte> _scrape = new(4 << 20);
    private GatewayMetrics _metrics = null!;
    private RouteMetrics _route = null!;
    private PoolMetrics _pool = null!;
    private RouteMetrics[] _routes = [];

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

    [Benchmark]
    public void RecordAttempt() => _pool.RecordAttempt(0, 1_234_567);

    [Benchmark]
    public int Scrape()
    {
        foreach (RouteMetrics route in _routes) route.Record(200, 0, 1_000_000);
        _scrape.ResetWrittenCount();
        _metrics.Write(_scrape, openMetrics: false);
        return _scrape.WrittenCount;
    }
}
