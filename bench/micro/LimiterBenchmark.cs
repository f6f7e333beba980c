using BenchmarkDotNet.Attributes;
using Gateway.Bench.Micro.Cases;
using Gateway.Core.Limits;

namespace Gateway.Bench.Micro;

/// <summary>Taking a slot and giving it back, beside a semaphore.</summary>
[MemoryDiagnoser]
public class LimiterBenchmark
{
    private const int Each = 100_000;
    private readonly ConcurrencyLimiter _limiter = new(TimeProvider.System);
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
