using BenchmarkDotNet.Attributes;
using Gateway.Bench.Micro.Cases;
using Gateway.Config;
using Gateway.DataPlane.Obs;
using Microsoft.Extensions.Logging.Abstractions;

namespace Gateway.Bench.Micro;

/// <summary>What a request pays for its line in the access log, and what the log's own thread pays to format it.</summary>
[MemoryDiagnoser]
public class AccessLogBenchmark
{
    private readonly LineBuffer _line = new();
    private readonly AccessLogFormatter _formatter = new(TimeProvider.System);
    private readonly AccessLogModel _model = AccessLogModel.Compile(new AccessLogConfig(), "/", []);
    private AccessLog _log = null!;
    private AccessLogEntry _entry;

    [GlobalSetup]
    public void Prepare()
    {
        _log = new AccessLog(new AccessLogOptions(Stream.Null, NullLogger.Instance, TimeProvider.System, new GatewayMetrics(), Seed: 1));
        _log.Reconfigure(_model);
        _formatter.Synchronize();
        _entry = ObsOperations.Entry();
    }

    [GlobalCleanup]
    public ValueTask CloseAsync() => _log.DisposeAsync();

    /// <summary>With the writer at its side, which cannot keep up with a loop that does nothing else: most entries are dropped.</summary>
    [Benchmark]
    public void HandOver()
    {
        if (_log.Wants(200)) _log.Write(_entry);
    }

    [Benchmark]
    public int Format()
    {
        _line.Clear();
        _formatter.Append(_line, _entry, _model);
        return _line.Length;
    }
}
