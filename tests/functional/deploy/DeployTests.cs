using System.Text.RegularExpressions;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Deploy;

/// <summary>What deploy/ promises holds for the executable as built.</summary>
public sealed partial class DeployTests
{
    private static readonly string Deploy = RepositoryRoot.PathOf("deploy");

    [Fact]
    public async Task EveryMetricNamedInDeploy_IsExported()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync("""{ "version": "v1", "listeners": [{ "name": "web", "address": "127.0.0.1:0" }] }""");
        string scrape = await gateway.Admin.GetStringAsync("/metrics", TestContext.Current.CancellationToken);
        HashSet<string> exported = [.. TypeLine().Matches(scrape).Select(static m => m.Groups[1].Value)];

        string[] files = [.. Directory.GetFiles(Path.Combine(Deploy, "grafana")), .. Directory.GetFiles(Path.Combine(Deploy, "prometheus"))];
        string[] named = [.. files.SelectMany(static f => MetricName().Matches(File.ReadAllText(f))).Select(static m => HistogramPart().Replace(m.Value, "")).Distinct()];

        Assert.True(named.Length > 15, "the files name hardly any metric");
        Assert.Subset(exported, named.ToHashSet());
    }

    [Fact]
    public async Task TheConfigurationForKubernetes_IsValid_AndItsShutdownFitsThePod()
    {
        string file = Path.Combine(Deploy, "kubernetes", "gateway.json");
        CommandResult result = await GatewayProcess.RunAsync("validate", file);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));

        string config = await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken);
        string pod = await File.ReadAllTextAsync(Path.Combine(Deploy, "kubernetes", "deployment.yaml"), TestContext.Current.CancellationToken);
        Assert.True(Number(pod, "terminationGracePeriodSeconds: ([0-9]+)") >= Number(config, "\"drain\": \"([0-9]+)s\"") + Number(config, "\"grace\": \"([0-9]+)s\"") + 5);
        Assert.Equal(Number(config, "0.0.0.0:(9[0-9]+)"), Number(pod, "name: metrics, containerPort: ([0-9]+)"));
        Assert.Equal(Number(config, "0.0.0.0:(8[0-9]+)"), Number(pod, "name: web, containerPort: ([0-9]+)"));
    }

    [Theory]
    [InlineData("check", "config", "prometheus.yml")]
    [InlineData("check", "rules", "gateway.rules.yml")]
    [InlineData("test", "rules", "gateway.rules.test.yml")]
    public async Task ThePrometheusFiles_AreWhatPromtoolAccepts(string verb, string what, string file)
    {
        string? promtool = Command.Find("promtool");
        if (promtool is null) Assert.Skip($"SKIPPED: promtool is not on PATH, so {file} was NOT checked");
        CommandResult result = await Command.RunAsync(promtool, [verb, what, Path.Combine(Deploy, "prometheus", file)]);
        Assert.True(result.ExitCode == 0, result.Both);
    }

    private static int Number(string text, string pattern) =>
        int.Parse(Regex.Match(text, pattern).Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);

    [GeneratedRegex("^# TYPE ([a-z0-9_]+) ", RegexOptions.Multiline)]
    private static partial Regex TypeLine();

    [GeneratedRegex("\\b(gateway|process|dotnet)_[a-z0-9_]+")]
    private static partial Regex MetricName();

    [GeneratedRegex("_(bucket|sum|count)$")]
    private static partial Regex HistogramPart();
}
