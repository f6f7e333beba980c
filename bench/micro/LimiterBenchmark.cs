using BenchmarkDotNet.Attributes;
using Gateway.Bench.Micro.Cases;
using Gateway.Core.Limits;
using Gateway.Core.Pool;

namespace Gateway.Bench.Micro;

/// <summary>
/// Taking a slot and giving it back, of a route's limit and of an endpoint's, beside a semaphore; and asking a rate by one of ten thousand
/// clients, beside a dictionary of buckets under a lock.
/// </summary>
[MemoryDiagnoser]
public class LimiterBenchmark
{
    private const int Each = 100_000;
    private const ulong Clients = 10_000;
    private readonly ConcurrencyLimiter _limiter = new(TimeProvider.System);
    private readonly EndpointLoad _endpoint = new();
    private readonly RoomQueue _queue = new(TimeProvider.System);
    private readonly RateTable _rates = new(65_536, seed: 1);
    private readonly Rate _rate = Gateway.Core.Limits.Rate.PerSecond(1000, 1000, TimeProvider.System.TimestampFrequency);
    private readonly Lock _gate = new();
    private readonly Dictionary<ulong, (double Tokens, long At)> _buckets = [];
    private readonly SemaphoreSlim _semaphore = new(512);

    [Params(1, 2)]
    public int Threads { get; set; }

    [Benchmark(OperationsPerInvoke = Each)]
    public void Limiter() => Run(() =>
    {
        if (_limiter.TryEnter(512)) _limiter.Leave(512, LimitOperations.QueueTimeout);
    });

    [Benchmark(Baseline = true, OperationsPerInvoke = Each)]
    public void Semaphore() => Run(() =>
    {
        if (_semaphore.Wait(0)) _semaphore.Release();
    });

    [Benchmark(OperationsPerInvoke = Each)]
    public void EndpointRoom() => Run(() =>
    {
        if (_queue.Waiting != 0 || !_endpoint.TryBegin(512)) return;
        _endpoint.End();
        _queue.Serve();
    });

    [Benchmark(OperationsPerInvoke = Each)]
    public void Rate() => Run(() =>
    {
        long now = TimeProvider.System.GetTimestamp();
        _rates.TryTake((ulong)now % Clients * 0x9E3779B97F4A7C15, now, _rate, out _);
    });

    [Benchmark(OperationsPerInvoke = Each)]
    public void RateInALockedDictionary() => Run(() =>
    {
        long now = TimeProvider.System.GetTimestamp();
        ulong client = (ulong)now % Clients;
        lock (_gate)
        {
            (double tokens, long at) = _buckets.GetValueOrDefault(client, (1000, now));
            tokens = Math.Min(1000, tokens + ((now - at) * 1000.0 / TimeProvider.System.TimestampFrequency));
            _buckets[client] = (tokens >= 1 ? tokens - 1 : tokens, now);
        }
    });

    private void Run(Action operation)
    {
        if (Threads == 1)
        {
            for (int i = 0; i < Each; i++) operation();
            return;
        }
        Parallel.For(0, Threads, new ParallelOptions { MaxDegreeOfParallelism = Threads }, _ =>
        {
            for (int i = 0; i < Each / Threads; i++) operation();
        });
    }
}
