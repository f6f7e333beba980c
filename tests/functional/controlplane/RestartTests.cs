using System.Net;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.ControlPlane;

/// <summary>What was applied survives the process, however it ended.</summary>
public sealed class RestartTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private GatewayProcessOptions Options(params string[] arguments) => new() { Folder = _folder, Arguments = arguments };

    private static string Saying(string text) => Doc.Of(routes: $$"""{ "name": "all", "respond": { "body": "{{text}}" } }""", pools: "");

    private static async Task<string> TextAsync(GatewayProcess gateway) => (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Text;

    [Fact]
    public async Task BrokenFileAtStart_IsRefusedWithAllErrorsAndExitCode1()
    {
        string file = _folder.Write("gateway.json", """{ "version": "v1", "colour": 1, "routes": [ { "name": "a", "shape": 2, "respond": {} } ] }""");
        CommandResult result = await GatewayProcess.RunAsync("run", "--config", file, "--admin", "off", "--data-dir", _folder["data"]);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("colour: unknown_field", result.Both);
        Assert.Contains("routes[0].shape: unknown_field", result.Both);
    }

    [Fact]
    public async Task BrokenFileAtStartWithLastGood_ServesTheLastGoodAndTakesTheMendedFile()
    {
        await using (GatewayProcess first = await GatewayProcess.StartAsync(Saying("good"), Options())) _ = await first.StopAsync();
        await using GatewayProcess second = await GatewayProcess.StartAsync("{ broken", Options("--last-good"));
        Assert.Equal("good", await TextAsync(second));
        AdminAnswer verbose = await second.GetAsync("/readyz?verbose");
        Assert.Equal(HttpStatusCode.OK, verbose.Status);
        Assert.Contains("syntax", verbose.Text);
        second.EditConfigFile(Saying("mended"));
        await Eventually.Until("the mended file is served", async () => await TextAsync(second) == "mended");
    }

    [Fact]
    public async Task LastGoodWithoutOne_IsRefusedLikeAnyBrokenFile()
    {
        string file = _folder.Write("gateway.json", "{ broken");
        CommandResult result = await GatewayProcess.RunAsync("run", "--config", file, "--admin", "off", "--data-dir", _folder["data"], "--last-good");
        Assert.Equal(1, result.ExitCode);
    }

    [Fact]
    public async Task AppliedOverAdmin_IsServedAfterARestartUntilTheFileChanges()
    {
        await using (GatewayProcess first = await GatewayProcess.StartAsync(Saying("file"), Options()))
        {
            _ = await first.ApplyAsync(Saying("admin"));
            await first.KillAsync();
        }
        await using (GatewayProcess second = await GatewayProcess.StartAsync(null, Options()))
        {
            Assert.Equal("admin", await TextAsync(second));
            _ = await second.StopAsync();
        }
        await using GatewayProcess third = await GatewayProcess.StartAsync(Saying("newer file"), Options());
        Assert.Equal("newer file", await TextAsync(third));
    }

    [Fact]
    public async Task KillAtAnyInstantOfApplies_LosesNoAnsweredOneAndTheStoreStaysWhole()
    {
        string? acknowledged = null;
        int said = 0;
        for (int round = 0; round < 6; round++)
        {
            await using GatewayProcess gateway = await GatewayProcess.StartAsync(round == 0 ? Saying("start") : null, Options());
            if (round > 0)
            {
                // At least what was answered; a later one may have been published just before the kill, but never something else.
                string text = await TextAsync(gateway);
                int live = int.Parse(text[1..], System.Globalization.CultureInfo.InvariantCulture);
                Assert.InRange(live, int.Parse(acknowledged![1..], System.Globalization.CultureInfo.InvariantCulture), said);
                AdminAnswer history = await gateway.GetAsync("/admin/history?limit=1000");
                Assert.Equal(HttpStatusCode.OK, history.Status);
                Assert.Single(history.Json.GetProperty("entries").EnumerateArray(), e => e.GetProperty("live").GetBoolean());
                Assert.Equal(HttpStatusCode.OK, (await gateway.GetAsync("/admin/audit")).Status);
            }
            int pause = round * 13;
            var answered = new TaskCompletionSource();
            Task killing = Task.Run(async () =>
            {
                await answered.Task;
                await Task.Delay(pause);
                await gateway.KillAsync();
            });
            try
            {
                while (true)
                {
                    said++;
                    _ = await gateway.ApplyAsync(Saying($"v{said}"));
                    acknowledged = $"v{said}";
                    _ = answered.TrySetResult();
                }
            }
            catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException) { }
            await killing;
            Assert.NotNull(acknowledged);
        }
    }

    [Fact]
    public async Task DamagedStore_DoesNotStopTheStart()
    {
        await using (GatewayProcess first = await GatewayProcess.StartAsync(Saying("one"), Options()))
        {
            _ = await first.ApplyAsync(Saying("two"));
            await first.KillAsync();
        }
        // The tail of every journal is torn, as a crash of the machine may leave it.
        foreach (string file in Directory.GetFiles(_folder["data"], "*", SearchOption.AllDirectories).Where(f => f.EndsWith("log", StringComparison.Ordinal) || f.EndsWith("l", StringComparison.Ordinal)))
        {
            await using FileStream stream = File.OpenWrite(file);
            if (stream.Length > 10) stream.SetLength(stream.Length - 5);
        }
        await using GatewayProcess second = await GatewayProcess.StartAsync(null, Options());
        Assert.Contains(await TextAsync(second), (string[])["one", "two"]);
        _ = await second.ApplyAsync(Saying("three"));
        Assert.Equal("three", await TextAsync(second));
    }

    [Fact]
    public async Task SecondGatewayOnTheSameDataFolder_DoesNotCorruptIt()
    {
        await using GatewayProcess first = await GatewayProcess.StartAsync(Saying("one"), Options());
        CommandResult second = await Command.RunAsync(GatewayProcess.Executable,
            ["run", "--config", first.ConfigFile, "--admin", "off", "--data-dir", first.DataDir], deadline: TimeSpan.FromSeconds(30));
        Assert.NotEqual(0, second.ExitCode);
        Assert.Contains(first.DataDir, second.Both);
        _ = await first.ApplyAsync(Saying("still"));
        Assert.Equal("still", await TextAsync(first));
    }
}
