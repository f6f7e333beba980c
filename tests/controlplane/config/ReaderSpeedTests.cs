using System.Diagnostics;
using Gateway.Bench.Micro.Documents;
using Gateway.Config;
using Xunit;

namespace Gateway.ControlPlane.Tests.Configuration;

public sealed class ReaderSpeedTests
{
    /// <summary>Ten to fifty times what it takes on one idle core: a guard against a change of order, not a measurement (bench/micro has those).</summary>
    [Fact]
    public void TenThousandRoutes_AreReadAndWrittenWellWithinTwoSeconds()
    {
        byte[] document = ConfigDocuments.Json(10_000);
        long started = Stopwatch.GetTimestamp();
        ReadResult result = ConfigReader.ReadJson(document);
        string version = CanonicalConfig.Version(result.Config!);

        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(2));
        Assert.Equal(10_000, result.Config!.Routes.Count);
        Assert.Equal(64, version.Length);
    }
}
