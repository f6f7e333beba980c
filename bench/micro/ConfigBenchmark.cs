using BenchmarkDotNet.Attributes;
using Gateway.Bench.Micro.Documents;
using Gateway.Config;

namespace Gateway.Bench.Micro;

/// <summary>From bytes to a valid document, and from there to its version: the first two steps of every apply.</summary>
[MemoryDiagnoser]
public class ConfigBenchmark
{
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
}
