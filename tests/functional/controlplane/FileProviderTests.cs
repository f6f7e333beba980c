using System.Net;
using System.Runtime.InteropServices;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.ControlPlane;

/// <summary>The configuration file is watched: edited in place, replaced, swapped under a symlink; a broken edit keeps what is live and says why.</summary>
public sealed class FileProviderTests
{
    private static string Saying(string text) => Doc.Of(routes: $$"""{ "name": "all", "respond": { "body": "{{text}}" } }""", pools: "");

    private static Task Serves(GatewayProcess gateway, string text) => Eventually.Until($"'{text}' is served",
        async () => (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Text == text);

    [Fact]
    public async Task EditInPlaceAndReplacement_AreApplied()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Saying("one"));
        gateway.EditConfigFile(Saying("two"));
        await Serves(gateway, "two");
        // As editors do: a new file moved over the old one.
        File.Move(gateway.Folder.Write("gateway.json.tmp", Saying("three")), gateway.ConfigFile, overwrite: true);
        await Serves(gateway, "three");
        File.Delete(gateway.ConfigFile);
        File.WriteAllText(gateway.ConfigFile, Saying("four"));
        await Serves(gateway, "four");
    }

    [Fact]
    public async Task BrokenEdit_KeepsTheOldAndSaysWhyEverywhereUntilMended()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Saying("one"));
        gateway.EditConfigFile("""{ "version": "v1", "routes": [ { "name": "all", "pool": "missing", "colour": "red" } ] }""");
        await Eventually.Until("the metric counts the rejected file", async () =>
            (await gateway.MetricsAsync()).Sum("gateway_config_applies_total", "source=\"file\"", "result=\"rejected\"") == 1);
        // The apply is counted by the queue; readiness hears of it from the provider, a moment later.
        await Eventually.Until("readyz names the field", async () => await gateway.GetAsync("/readyz?verbose") is { Status: HttpStatusCode.OK } verbose && verbose.Text.Contains("colour"));
        await Eventually.Until("the log names the field", () => gateway.Error.Any(l => l.Contains("colour", StringComparison.Ordinal)));
        Assert.Equal("one", (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Text);
        gateway.EditConfigFile(Saying("mended"));
        await Serves(gateway, "mended");
        await Eventually.Until("readyz has nothing to say any more", async () => !(await gateway.GetAsync("/readyz?verbose")).Text.Contains("colour"));
    }

    [Fact]
    public async Task ConfigMapSymlinkSwap_IsApplied()
    {
        // The layout of a Kubernetes ConfigMap mount: file → ..data/file, ..data → ..version; an update renames a new ..data over the old.
        using var folder = new TempFolder();
        _ = folder.Write("..v1/gateway.json", Saying("one"));
        _ = File.CreateSymbolicLink(folder["..data"], "..v1");
        _ = File.CreateSymbolicLink(folder["gateway.json"], "..data/gateway.json");
        await using GatewayProcess gateway = await StartInPlaceAsync(folder);
        await Serves(gateway, "one");
        for (int i = 2; i <= 4; i++)
        {
            _ = folder.Write($"..v{i}/gateway.json", Saying($"v{i}"));
            _ = File.CreateSymbolicLink(folder["..data_tmp"], $"..v{i}");
            // rename(2), as the kubelet does; File.Move would follow the link.
            Assert.Equal(0, (await Command.RunAsync("mv", "-T", folder["..data_tmp"], folder["..data"])).ExitCode);
            Directory.Delete(folder[$"..v{i - 1}"], recursive: true);
            await Serves(gateway, $"v{i}");
        }
    }

    private static Task<GatewayProcess> StartInPlaceAsync(TempFolder folder) =>
        GatewayProcess.StartAsync(null, new GatewayProcessOptions { Folder = folder });

    [Fact]
    public async Task TornWrites_AreNeverAppliedHalf()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Saying("one"));
        string whole = Saying("two");
        for (int i = 0; i < 10; i++)
        {
            await using (var stream = new FileStream(gateway.ConfigFile, FileMode.Create, FileAccess.Write, FileShare.ReadWrite))
            {
                byte[] bytes = System.Text.Encoding.UTF8.GetBytes(whole + new string(' ', i));
                await stream.WriteAsync(bytes.AsMemory(0, bytes.Length / 2));
                await stream.FlushAsync();
                await Task.Delay(5);
                await stream.WriteAsync(bytes.AsMemory(bytes.Length / 2));
            }
            string text = (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Text;
            Assert.Contains(text, (string[])["one", "two"]);
        }
        await Serves(gateway, "two");
    }

    [Fact]
    public async Task FileGone_KeepsTheOldAndItsReturnIsApplied()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Saying("one"));
        File.Delete(gateway.ConfigFile);
        await Eventually.Until("readyz says that the file is gone", async () => (await gateway.GetAsync("/readyz?verbose")).Text.Contains("file_unreadable"));
        Assert.Equal("one", (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Text);
        gateway.EditConfigFile(Saying("back"));
        await Serves(gateway, "back");
    }

    [Theory]
    [InlineData(false)]
    // As nohup starts it.
    [InlineData(true)]
    public async Task Sighup_AppliesTheFileOverWhatTheAdminApiBrought(bool ignored)
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Saying("file"), new GatewayProcessOptions { IgnoringHangUp = ignored });
        _ = await gateway.ApplyAsync(Saying("admin"));
        await Serves(gateway, "admin");
        gateway.Signal(PosixSignal.SIGHUP);
        await Serves(gateway, "file");
        Assert.False(gateway.HasExited);
    }

    [Fact]
    public async Task UnchangedContent_IsNotAppliedAgain()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Saying("one"));
        double before = (await gateway.MetricsAsync()).Sum("gateway_config_applies_total");
        for (int i = 0; i < 5; i++) File.SetLastWriteTimeUtc(gateway.ConfigFile, new DateTime(2026, 1, 1 + i, 0, 0, 0, DateTimeKind.Utc));
        gateway.EditConfigFile(Saying("two"));
        await Serves(gateway, "two");
        await Eventually.Until("the one apply is counted", async () => (await gateway.MetricsAsync()).Sum("gateway_config_applies_total") == before + 1);
    }
}
