using BenchmarkDotNet.Attributes;
using Gateway.Bench.Micro.Cases;
using Gateway.Core.Breaker;
using Polly;
using Polly.CircuitBreaker;

namespace Gateway.Bench.Micro;

/// <summary>A request through a closed breaker that counts it, on one thread and on several at once, beside Polly's and one with a lock.</summary>
[MemoryDiagnoser]
public class BreakerBenchmark
{
    private const int Each = 20_000;

    private readonly CircuitBreaker _ours = new(new BreakerSettings(), TimeProvider.System);
    private readonly NaiveBreaker _naive = new();
    private readonly ResiliencePipeline _polly = new ResiliencePipelineBuilder()
        .AddCircuitBreaker(new CircuitBreakerStrategyOptions { FailureRatio = 0.5, MinimumThroughput = 20, SamplingDuration = TimeSpan.FromSeconds(10), BreakDuration = TimeSpan.FromSeconds(2) })
        .Build();

    [Params(1, 2)]
    public int Threads { get; set; }

    [Benchmark(Baseline = true, OperationsPerInvoke = Each)]
    public void Ours() => OnThreads(() => CoreOperations.PassBreaker(_ours, BreakerOutcome.Success));

    [Benchmark(OperationsPerInvoke = Each)]
    public void Polly() => OnThreads(() => _polly.Execute(static () => { }));

    [Benchmark(OperationsPerInvoke = Each)]
    public void OneLock() => OnThreads(_naive.Pass);

    // The time of an operation is that of one thread, while as many others do the same.
    private void OnThreads(Action pass)
    {
        Task[] others = new Task[Threads - 1];
        for (int t = 0; t < others.Length; t++) others[t] = Task.Run(() => Repeat(pass));
        Repeat(pass);
        Task.WhenAll(others).GetAwaiter().GetResult();
    }

    private static void Repeat(Action pass)
    {
        for (int i = 0; i < Each; i++) pass();
    }

    /// <summary>What one would write first: a queue of what happened, under a lock.</summary>
    private sealed class NaiveBreaker
    {
        private readonly Lock _gate = new();
        private readonly Queue<(long At, bool Failed)> _events = [];
        private int _failures;

        public void Pass()
        {
            long now = TimeProvider.System.GetTimestamp();
            lock (_gate)
            {
                if (_failures * 2 >= Math.Max(20, _events.Count)) return;
            }
            lock (_gate)
            {
                _events.Enqueue((now, false));
                while (_events.Count > 10_000 || now - _events.Peek().At > 10 * TimeProvider.System.TimestampFrequency)
                {
                    if (_events.Dequeue().Failed) _failures--;
                }
            }
        }
    }
}
