using System.Text.Json;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.CommandLine;

/// <summary>What scripts see of the executables: output and exit codes.</summary>
public sealed class GatewayCommandTests
{
    private static readonly string Good = Doc.Of("""{ "name": "all", "respond": { "body": "ok" } }""", "");

    [Fact]
    public async Task Validate_SaysOkOrEveryError()
    {
        using var folder = new TempFolder();
        CommandResult good = await GatewayProcess.RunAsync("validate", folder.Write("good.json", Good));
        Assert.True(good.ExitCode == 0, good.Both);
        CommandResult bad = await GatewayProcess.RunAsync("validate", folder.Write("bad.json", """{ "version": "v1", "a": 1, "routes": [ { "name": "x", "b": 2, "respond": {} } ] }"""));
        Assert.Equal(1, bad.ExitCode);
        Assert.Contains("a: unknown_field: ", bad.Both);
        Assert.Contains("routes[0].b: unknown_field: ", bad.Both);
        CommandResult yaml = await GatewayProcess.RunAsync("validate", folder.Write("good.yaml", "version: v1\nroutes: [{ name: all, respond: {} }]\n"));
        Assert.True(yaml.ExitCode == 0, yaml.Both);
        Assert.Equal(1, (await GatewayProcess.RunAsync("validate", folder["missing.json"])).ExitCode);
    }

    [Fact]
    public async Task Schema_IsTheCommittedOne()
    {
        CommandResult schema = await GatewayProcess.RunAsync("schema");
        Assert.Equal(0, schema.ExitCode);
        _ = JsonDocument.Parse(schema.Out);
        Assert.Equal(File.ReadAllText(RepositoryRoot.PathOf("configs/gateway.schema.json")), schema.Out);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("run")]
    [InlineData("run --config")]
    [InlineData("run --config x.json --no-such-option")]
    [InlineData("run --config x.json --loops 0")]
    [InlineData("run --config x.json --loops 1025")]
    [InlineData("run --config x.json --loops many")]
    [InlineData("validate")]
    public async Task WrongUsage_IsExitCode2(string arguments) =>
        Assert.Equal(2, (await GatewayProcess.RunAsync(arguments.Split(' '))).ExitCode);

    [Fact]
    public async Task MissingFile_IsExitCode1()
    {
        using var folder = new TempFolder();
        CommandResult result = await GatewayProcess.RunAsync("run", "--config", folder["missing.json"], "--admin", "off", "--data-dir", folder["data"]);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("missing.json", result.Both);
    }

    [Fact]
    public async Task PortInUseAtStart_IsExitCode1AndNamesIt()
    {
        await using RawOrigin taken = RawOrigin.Start(_ => Task.CompletedTask);
        using var folder = new TempFolder();
        string file = folder.Write("gateway.json", Doc.Of("", "", $$"""{ "name": "web", "address": "{{taken.Address}}" }"""));
        CommandResult result = await GatewayProcess.RunAsync("run", "--config", file, "--admin", "off", "--data-dir", folder["data"]);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("listeners[0].address: bind_failed", result.Both);
        Assert.Contains(taken.Address, result.Both);
    }

    [Fact]
    public async Task EveryExampleInConfigs_IsValid()
    {
        string[] files = Directory.GetFiles(RepositoryRoot.PathOf("configs"), "*", SearchOption.AllDirectories)
            .Where(f => Path.GetExtension(f) is ".json" or ".yaml" or ".yml" && !f.EndsWith("schema.json", StringComparison.Ordinal)).ToArray();
        Assert.NotEmpty(files);
        foreach (string file in files)
        {
            CommandResult result = await Command.RunAsync(GatewayProcess.Executable, ["validate", file],
                environment: new Dictionary<string, string> { ["SITE_KEY_PASSWORD"] = "x" });
            bool onlyFiles = result.ExitCode != 0 && result.Both.Split('\n').Where(l => l.Contains(": ", StringComparison.Ordinal)).All(l => l.Contains("file_unreadable", StringComparison.Ordinal) || !System.Text.RegularExpressions.Regex.IsMatch(l, @"^\S+: [a-z_]+: "));
            Assert.True(result.ExitCode == 0 || onlyFiles, $"{file}\n{result.Both}");
        }
    }

    [Fact]
    public async Task Help_NamesTheCommands()
    {
        CommandResult help = await GatewayProcess.RunAsync("--help");
        Assert.Equal(0, help.ExitCode);
        foreach (string command in (string[])["run", "validate", "schema"]) Assert.Contains(command, help.Out);
    }
}
