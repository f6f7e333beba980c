using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;
using BenchmarkDotNet.Attributes;
using Gateway.DataPlane.Transport;

namespace Gateway.Bench.Micro;

/// <summary>Five methods deep, one wait at the bottom, as a request waits for its upstream: by our builder, by .NET's pooling one, and by ordinary tasks.</summary>
[MemoryDiagnoser]
public class AsyncBenchmark
{
    private const int Depth = 4;
    private readonly Signal _signal = new();

    [Benchmark(Baseline = true)]
    public int LoopTask() => Run(OnLoopAsync(Depth));

    [Benchmark]
    public int Pooling() => Run(PoolingAsync(Depth));

    [Benchmark]
    public int Plain() => Run(PlainAsync(Depth));

    private int Run(ValueTask<int> task)
    {
        _signal.End();
        return task.GetAwaiter().GetResult();
    }

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder<>))]
    private async ValueTask<int> OnLoopAsync(int depth)
    {
        if (depth > 0) return 1 + await OnLoopAsync(depth - 1);
        await _signal.Task;
        return 0;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<int> PoolingAsync(int depth)
    {
        if (depth > 0) return 1 + await PoolingAsync(depth - 1);
        await _signal.Task;
        return 0;
    }

    private async ValueTask<int> PlainAsync(int depth)
    {
        if (depth > 0) return 1 + await PlainAsync(depth - 1);
        await _signal.Task;
        return 0;
    }

    private sealed class Signal : IValueTaskSource
    {
        private ManualResetValueTaskSourceCore<bool> _core;

        public ValueTask Task => new(this, _core.Version);

        public void End() => _core.SetResult(true);

        public void GetResult(short token)
        {
            _ = _core.GetResult(token);
            _core.Reset();
        }

        public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

        public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) => _core.OnCompleted(continuation, state, token, flags);
    }
}
