using System.Text.Json;
using System.Text.RegularExpressions;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Examples;

/// <summary>Every configuration shown to a user is valid: the files under configs/ and the JSON of the documentation.</summary>
public sealed partial class ExampleTests
{
    public static TheoryData<string> Files => [.. Directory.GetFiles(RepositoryRoot.PathOf("configs"))
        .Where(f => Path.GetExtension(f) is ".json" or ".yaml" && !f.EndsWith(".schema.json", StringComparison.Ordinal)).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Files))]
    public async Task ConfigurationUnderConfigs_IsValidWithoutWarnings(string name)
    {
        using var folder = new TempFolder();
        string file = folder.Write(name, await File.ReadAllTextAsync(RepositoryRoot.PathOf($"configs/{name}")));
        MakeCertificates(folder);
        CommandResult result = await GatewayProcess.RunAsync("validate", file);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
    }

    [Theory]
    [MemberData(nameof(Files))]
    public async Task ConfigurationUnderConfigs_NamesItsSchema(string name) =>
        Assert.Contains("./gateway.schema.json", await File.ReadAllTextAsync(RepositoryRoot.PathOf($"configs/{name}")), StringComparison.Ordinal);

    [Fact]
    public async Task ConfigurationsUnderConfigs_AreAllInTheTableOfTheirReadme()
    {
        string readme = await File.ReadAllTextAsync(RepositoryRoot.PathOf("configs/README.md"));
        Assert.All(Files, row => Assert.Contains($"({row.Data})", readme, StringComparison.Ordinal));
    }

    [Fact]
    public async Task WholeDocumentsInTheReadme_AreValid()
    {
        string readme = await File.ReadAllTextAsync(RepositoryRoot.PathOf("README.md"));
        string[] documents = [.. CodeBlocks().Matches(readme).Select(m => m.Groups[1].Value).Where(b => b.Contains("\"version\": \"v1\"", StringComparison.Ordinal))];
        Assert.NotEmpty(documents);
        foreach (string document in documents)
        {
            using JsonDocument parsed = JsonDocument.Parse(document);
            using var folder = new TempFolder();
            MakeCertificates(folder);
            CommandResult result = await GatewayProcess.RunAsync("validate", folder.Write("gateway.json", document));
            Assert.Equal((0, ""), (result.ExitCode, result.Error));
        }
    }

    private static void MakeCertificates(TempFolder folder)
    {
        string certificates = Directory.CreateDirectory(folder["certs"]).FullName;
        using var authority = new TestCertificates(certificates, "partners-ca");
        _ = authority.Server("site", "www.example.com");
        _ = authority.Server("api", "api.example.com");
    }

    [GeneratedRegex("^```json\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex CodeBlocks();
}
