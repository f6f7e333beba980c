using Gateway.Config;
using Gateway.DataPlane.Server;
using Microsoft.Extensions.Logging.Abstractions;

namespace Gateway.Bench.Micro.Documents;

/// <summary>The operations on documents whose allocation has a budget, by their name in section "config" of bench/budgets.json.</summary>
public static class ConfigOperations
{
    /// <summary>Name, how often to run it, and what to run.</summary>
    public static IEnumerable<(string Name, int Times, Action Run)> All()
    {
        byte[] document = ConfigDocuments.Json(1000);
        GatewayConfig config = ConfigReader.ReadJson(document).Config ?? throw new InvalidOperationException("the document has errors");
        yield return ("ConfigRead.1000", 10, () => ConfigReader.ReadJson(document));
        yield return ("ConfigVersion.1000", 10, () => CanonicalConfig.Version(config));
        var host = new DataPlaneHost(new DataPlaneOptions("/", NullLoggerFactory.Instance, TimeProvider.System));
        yield return ("SnapshotCompile.1000", 10, () => host.Compile(config, "version", "bench"));
    }
}
