using BenchmarkDotNet.Attributes;
using Gateway.Core.Outlier;

namespace Gateway.Bench.Micro;

/// <summary>Recording an attempt's end, beside a lock around a queue of recent results, which is how a window is often kept.</summary>
[MemoryDiagnoser]
public class AttemptBenchmark
{
    private const int Each = 100_000;
    private readonly AttemptCounts _counts = new() { Latencies = new LatencyHistogram() };
    private readonly Lock _gate = new();
    private readonly Queue<(long At, bool Failed)> _recent = new();
    private int _failed;

    [Params(1, 2)]
    public int Threads { get; set; }

    [Benchmark(OperationsPerInvoke = Each)]
    public void Counters() => Run(() => _counts.RecordSuccess(1_234_567));

    [Benchmark(Baseline = true, OperationsPerInvoke = Each)]
    public void LockedQueue() => Run(() =>
    {
        lock (_gate)
        {
            _recent.Enqueue((Environment.TickCount64, false));
            while (_recent.Count > 1000)
            {
                if (_recent.Dequeue().Failed) _failed--;
            }
        }
    });

    private void Run(Action record)
    {
        if (Threads == 1)
        {
            for (int i = 0; i < Each; i++) record();
            return;
        }
        Parallel.For(0, Threads, new ParallelOptions { MaxDegreeOfParallelism = Threads }, _ =>
        {
            for (int i = 0; i < Each / Threads; i++) record();
        });
    }
}
