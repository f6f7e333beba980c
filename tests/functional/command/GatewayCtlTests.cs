using System.Text.Json;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.CommandLine;

/// <summary>gatewayctl against a running gateway: what people read and what scripts rely on.</summary>
public sealed class GatewayCtlTests
{
    private static string Saying(string text) => Doc.Of(routes: $$"""{ "name": "all", "respond": { "body": "{{text}}" } }""", pools: Doc.Pool("spare", "127.0.0.1:9"));

    [Fact]
    public async Task ApplySnapshotHistoryRollbackPools_WorkTogether()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Saying("one"));
        string Text() => RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get()).GetAwaiter().GetResult().Text;
        CommandResult applied = await gateway.CtlAsync("apply", gateway.Folder.Write("two.json", Saying("two")), "--json");
        Assert.True(applied.ExitCode == 0, applied.Both);
        string version = JsonDocument.Parse(applied.Out).RootElement.GetProperty("version").GetString()!;
        Assert.Equal("two", Text());
        CommandResult snapshot = await gateway.CtlAsync("snapshot");
        Assert.True(snapshot.ExitCode == 0 && snapshot.Out.Contains(version) && snapshot.Out.Contains("web"), snapshot.Both);
        CommandResult history = await gateway.CtlAsync("history", "--json");
        Assert.Equal(2, JsonDocument.Parse(history.Out).RootElement.GetProperty("entries").GetArrayLength());
        CommandResult pools = await gateway.CtlAsync("pools");
        Assert.True(pools.ExitCode == 0 && pools.Out.Contains("spare") && pools.Out.Contains("127.0.0.1:9"), pools.Both);
        CommandResult back = await gateway.CtlAsync("rollback");
        Assert.True(back.ExitCode == 0, back.Both);
        Assert.Equal("one", Text());
        CommandResult forth = await gateway.CtlAsync("rollback", version[..12]);
        Assert.True(forth.ExitCode == 0, forth.Both);
        Assert.Equal("two", Text());
    }

    [Fact]
    public async Task BrokenDocument_PrintsEveryErrorAndExits1()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Saying("one"));
        string file = gateway.Folder.Write("bad.json", """{ "version": "v1", "a": 1, "b": 2 }""");
        foreach (string command in (string[])["apply", "validate"])
        {
            CommandResult result = await gateway.CtlAsync(command, file);
            Assert.Equal(1, result.ExitCode);
            Assert.Contains("a: unknown_field", result.Both);
            Assert.Contains("b: unknown_field", result.Both);
        }
        Assert.Equal(0, (await gateway.CtlAsync("validate", gateway.ConfigFile)).ExitCode);
        Assert.Equal(1, (await gateway.CtlAsync("apply", gateway.Folder.Write("two.json", Saying("two")), "--if-match", new string('0', 64))).ExitCode);
        Assert.Equal(1, (await gateway.CtlAsync("apply", gateway.Folder["missing.json"])).ExitCode);
        Assert.Equal(2, (await gateway.CtlAsync("no-such-command")).ExitCode);
    }

    [Fact]
    public async Task NoGateway_IsExitCode70()
    {
        using var folder = new TempFolder();
        CommandResult result = await Command.RunAsync(GatewayProcess.CtlExecutable, "snapshot", "--server", "http://" + RawOrigin.RefusedAddress(), "--token-file", folder.Write("token", "t"));
        Assert.True(result.ExitCode == 70, result.Both);
    }

    [Fact]
    public async Task WrongToken_Exits1AndSaysWhatToDo()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Saying("one"));
        CommandResult result = await Command.RunAsync(GatewayProcess.CtlExecutable, "snapshot", "--server", gateway.AdminAddress.ToString().TrimEnd('/'),
            "--token-file", gateway.Folder.Write("token", "wrong"));
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("token", result.Both, StringComparison.OrdinalIgnoreCase);
    }
}
