using BenchmarkDotNet.Attributes;
using Gateway.Core.Retry;

namespace Gateway.Bench.Micro;

/// <summary>What every request of a route pays for the bound on retries, on one thread and on several at once, beside a bucket under a lock.</summary>
[MemoryDiagnoser]
public class RetryBudgetBenchmark
{
    private const int Each = 20_000;

    private readonly RetryBudget _ours = new(new RetryBudgetSettings(), TimeProvider.System.TimestampFrequency);
    private readonly ClientBudgets _clients = new(new RetryBudgetSettings(), TimeProvider.System.TimestampFrequency);
    private readonly Lock _gate = new();
    private double _tokens;

    [Params(1, 2)]
    public int Threads { get; set; }

    [Benchmark(Baseline = true, OperationsPerInvoke = Each)]
    public void Ours() => OnThreads(() => _ours.Request(TimeProvider.System.GetTimestamp()));

    [Benchmark(OperationsPerInvoke = Each)]
    public void PerClient() => OnThreads(() => _clients.Request((ulong)Environment.CurrentManagedThreadId * 0x9E3779B97F4A7C15, TimeProvider.System.GetTimestamp()));

    /// <summary>What a retry pays; most are refused, as when all requests fail.</summary>
    [Benchmark(OperationsPerInvoke = Each)]
    public void TryTake() => OnThreads(() => _ours.TryTake(TimeProvider.System.GetTimestamp()));

    [Benchmark(OperationsPerInvoke = Each)]
    public void TryTakeUnderALock() => OnThreads(() =>
    {
        _ = TimeProvider.System.GetTimestamp();
        lock (_gate)
        {
            if (_tokens >= 1) _tokens--;
        }
    });

    [Benchmark(OperationsPerInvoke = Each)]
    public void TokensUnderALock() => OnThreads(() =>
    {
        _ = TimeProvider.System.GetTimestamp();
        lock (_gate) _tokens = Math.Min(1000, _tokens + 0.2);
    });

    private void OnThreads(Action request)
    {
        Task[] others = new Task[Threads - 1];
        for (int t = 0; t < others.Length; t++) others[t] = Task.Run(() => Repeat(request));
        Repeat(request);
        Task.WhenAll(others).GetAwaiter().GetResult();
    }

    private static void Repeat(Action request)
    {
        for (int i = 0; i < Each; i++) request();
    }
}
