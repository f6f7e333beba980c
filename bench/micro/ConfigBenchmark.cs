using BenchmarkDotNet.Attributes;
using Gateway.Bench.Micro.Documents;
using Gateway.Config;
using Gateway.DataPlane.Server;
using Microsoft.Extensions.Logging.Abstractions;

namespace Gateway.Bench.Micro;

/// <summary>From bytes to a valid document, from there to its version, and to a snapshot: the steps of every apply before its publish.</summary>
[MemoryDiagnoser]
public class ConfigBenchmark
{
    private readonly DataPlaneHost _host = new(new DataPlaneOptions("/", NullLoggerFactory.Instance, TimeProvider.System));
    private byte[] _json = [];
    private GatewayConfig _config = null!;

    [Params(1000, 10_000, 100_000)]
    public int Routes { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        _json = ConfigDocuments.Json(Routes);
        _config = ReadAndValidate().Config ?? throw new InvalidOperationException("the document has errors");
    }

    [Benchmark]
    public ReadResult ReadAndValidate() => ConfigReader.ReadJson(_json);

    [Benchmark]
    public string CanonicalVersion() => CanonicalConfig.Version(_config);

    [Benchmark]
    public CompileResult Compile() => _host.Compile(_config, "version", "bench");

    [GlobalCleanup]
    public ValueTask StopAsync() => _host.DisposeAsync();
}
