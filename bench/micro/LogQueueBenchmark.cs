using System.Threading.Channels;
using BenchmarkDotNet.Attributes;
using Gateway.Bench.Micro.Cases;
using Gateway.Config;
using Gateway.DataPlane.Obs;

namespace Gateway.Bench.Micro;

/// <summary>An entry's way through the access log's ring and out again, beside a bounded channel; with two threads both write, and one of them reads what is there after each of its own.</summary>
[MemoryDiagnoser]
public class LogQueueBenchmark
{
    private const int Each = 50_000;
    private const int Capacity = 8192;

    private readonly AccessLogQueue _ring = new(Capacity);
    private readonly AccessLogModel _model = AccessLogModel.Compile(new AccessLogConfig(), "/", []);
    private readonly Channel<AccessLogEntry> _channel =
        Channel.CreateBounded<AccessLogEntry>(new BoundedChannelOptions(Capacity) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });

    private readonly AccessLogEntry _entry = ObsOperations.Entry();

    [Params(1, 2)]
    public int Threads { get; set; }

    [Benchmark(Baseline = true, OperationsPerInvoke = Each)]
    public void Ring() => OnThreads(
        () => _ring.TryEnqueue(_entry, _model),
        () =>
        {
            while (_ring.CanRead) _ring.Advance();
        });

    [Benchmark(OperationsPerInvoke = Each)]
    public void BoundedChannel() => OnThreads(
        () => _channel.Writer.TryWrite(_entry),
        () =>
        {
            while (_channel.Reader.TryRead(out _)) { }
        });

    private void OnThreads(Action write, Action read)
    {
        Task[] others = new Task[Threads - 1];
        for (int t = 0; t < others.Length; t++)
        {
            others[t] = Task.Run(() =>
            {
                for (int i = 0; i < Each; i++) write();
            });
        }
        for (int i = 0; i < Each; i++)
        {
            write();
            read();
        }
        Task.WhenAll(others).GetAwaiter().GetResult();
        read();
    }
}
