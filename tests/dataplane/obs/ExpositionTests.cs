using System.Buffers;
using System.Diagnostics;
using System.Text.RegularExpressions;
using Gateway.DataPlane.Obs;
using Xunit;

namespace Gateway.DataPlane.Tests.Obs;

public sealed partial class ExpositionTests
{
    [Fact]
    public async Task TheTextFormat_IsWhatPromtoolAccepts()
    {
        ArrayBufferWriter<byte> output = new();
        Everything().Write(output, openMetrics: false);
        using Process? promtool = Start("promtool", "check", "metrics");
        if (promtool is null) Assert.Skip("SKIPPED: promtool is not on PATH, so the metrics were NOT checked by it");
        Task<string> errors = promtool.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        Task<string> words = promtool.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await promtool.StandardInput.BaseStream.WriteAsync(output.WrittenMemory, TestContext.Current.CancellationToken);
        promtool.StandardInput.Close();
        string said = await errors + await words;
        await promtool.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(promtool.ExitCode == 0 && said.Trim().Length == 0, said);
    }

    [Fact]
    public void OpenMetrics_HasItsShape()
    {
        string text = Scrape.Of(Everything(), openMetrics: true).Text;
        Assert.EndsWith("\n# EOF\n", text);
        Assert.Equal(1, Regex.Count(text, "# EOF"));
        Assert.Contains("# TYPE gateway_requests counter\ngateway_requests_total{route=", text);
        Assert.Contains("# TYPE gateway_build info\ngateway_build_info{version=", text);
        Assert.Contains("# TYPE gateway_request_duration_seconds histogram\n# UNIT gateway_request_duration_seconds seconds\n", text);
        Assert.Contains("# UNIT process_cpu_seconds seconds\nprocess_cpu_seconds_total ", text);

        HashSet<string> families = [];
        string family = "", type = "";
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line == "# EOF") break;
            Match meta = Meta().Match(line);
            if (meta.Success)
            {
                if (meta.Groups["what"].Value == "HELP") Assert.True(families.Add(meta.Groups["name"].Value), "a family in two pieces: " + line);
                family = meta.Groups["name"].Value;
                if (meta.Groups["what"].Value == "TYPE") type = meta.Groups["rest"].Value;
                if (meta.Groups["what"].Value == "UNIT") Assert.EndsWith("_" + meta.Groups["rest"].Value, family);
                continue;
            }
            Match sample = SampleLine().Match(line);
            Assert.True(sample.Success, "no sample: " + line);
            string[] suffixes = type switch { "counter" => ["_total"], "info" => ["_info"], "histogram" => ["_bucket", "_sum", "_count"], _ => [""] };
            Assert.Contains(sample.Groups["name"].Value, suffixes.Select(s => family + s));
        }
    }

    [Fact]
    public void AHistogramsBuckets_AreCumulative_AndEndInItsCount()
    {
        GatewayMetrics metrics = new();
        DurationHistogram histogram = metrics.Histogram("config_apply_duration_seconds", "Applies.");
        histogram.Record(TimeSpan.FromMilliseconds(3));
        histogram.Record(TimeSpan.FromMinutes(2));
        Scrape scrape = Scrape.Of(metrics);
        Assert.Equal(1, scrape["gateway_config_apply_duration_seconds_bucket{le=\"1.0\"}"]);
        Assert.Equal(1, scrape["gateway_config_apply_duration_seconds_bucket{le=\"30.0\"}"]);
        Assert.Equal(2, scrape["gateway_config_apply_duration_seconds_bucket{le=\"+Inf\"}"]);
        Assert.Equal(2, scrape["gateway_config_apply_duration_seconds_count"]);
        Assert.Equal(120.003, scrape["gateway_config_apply_duration_seconds_sum"], 6);
    }

    [GeneratedRegex("^# (?<what>HELP|TYPE|UNIT) (?<name>[a-z_]+) (?<rest>.+)$")]
    private static partial Regex Meta();

    [GeneratedRegex("^(?<name>[a-z_]+)(\\{[a-z_]+=\"([^\"\\\\\n]|\\\\[\"n\\\\])*\"(,[a-z_]+=\"([^\"\\\\\n]|\\\\[\"n\\\\])*\")*\\})? -?([0-9.]+(E[-+][0-9]+)?|NaN|\\+Inf)$")]
    private static partial Regex SampleLine();

    private static Process? Start(string program, params string[] arguments)
    {
        try
        {
            return Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true });
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    /// <summary>Metrics in which every family has something to say.</summary>
    private static GatewayMetrics Everything()
    {
        GatewayMetrics metrics = new(MetricsTests.Categories);
        RouteMetrics route = metrics.Route("a \"quoted\" \\ name");
        PoolMetrics pool = metrics.Pool("p");
        metrics.Attach(route);
        metrics.Attach(pool);
        for (int i = 0; i < MetricsTests.Categories.Length; i++)
        {
            route.Record(100 + (i % 5 * 100), i, i * 1_000_000L);
            metrics.NoRoute.Record(404, i, 1);
            pool.RecordAttempt(i, 1);
        }
        RouteMetrics gone = metrics.Route("gone");
        metrics.Attach(gone);
        gone.Record(200, 0, 1);
        metrics.Detach(gone);
        metrics.Counter("config_applies_total", "Configurations applied or refused.", "source", "result").Add(1, "file", "ok");
        metrics.Counter("retired_total", "Never incremented, with labels.", "why");
        metrics.Gauge("config_info", "The live configuration.", "version", "source").SetOnly(1, new string('a', 64), "file");
        metrics.Histogram("config_apply_duration_seconds", "From the document to the published snapshot.").Record(TimeSpan.FromSeconds(0.2));
        metrics.ObserveGauge("requests_in_flight", "Requests in flight.", () => 3);
        metrics.ObserveGauge("connections", "Open client connections.", ["listener"], static r => r.Add(2, "web"));
        metrics.ObserveGauge("certificate_expiry_timestamp_seconds", "When a certificate expires.", ["certificate"], static r => r.Add(1_900_000_000.5, "site"));
        return metrics;
    }
}
