using System.Diagnostics;
using System.Text;
using Gateway.Config;
using Xunit;

namespace Gateway.ControlPlane.Tests.Configuration;

public sealed class ReaderSpeedTests
{
    /// <summary>Ten to fifty times what it takes on one idle core: a guard against a change of order, not a measurement (bench/micro has those).</summary>
    [Fact]
    public void TenThousandRoutes_AreReadAndWrittenWellWithinTwoSeconds()
    {
        byte[] document = Document(10_000);
        long started = Stopwatch.GetTimestamp();
        ReadResult result = ConfigReader.ReadJson(document);
        string version = CanonicalConfig.Version(result.Config!);

        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(2));
        Assert.Equal(10_000, result.Config!.Routes.Count);
        Assert.Equal(64, version.Length);
    }

    private static byte[] Document(int routes)
    {
        var json = new StringBuilder("""{ "version": "v1", "listeners": [ { "name": "web", "address": "0.0.0.0:8080" } ], "pools": { "shop": { "endpoints": [ { "address": "10.0.0.1:8080" } ] } }, "routes": [""");
        for (int i = 0; i < routes; i++)
            json.Append(i == 0 ? "" : ",").Append($$"""{ "name": "route-{{i}}", "match": { "hosts": ["host-{{i % 1000}}.example.com"], "path": { "prefix": "/api/{{i}}" }, "methods": ["GET"] }, "pool": "shop", "timeouts": { "request": "15s" } }""");
        return Encoding.UTF8.GetBytes(json.Append("] }").ToString());
    }
}
