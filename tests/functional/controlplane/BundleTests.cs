using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.ControlPlane;

/// <summary>Signed configurations with the built executables, from the key to the restart after a kill.</summary>
public sealed class BundleTests
{
    private static string Answer(string body) => Doc.Of($$"""{ "name": "r", "respond": { "body": "{{body}}" } }""", "");

    private static async Task<string> BodyAsync(GatewayProcess gateway)
    {
        using var http = new HttpClient(H2Client.Handler()) { BaseAddress = gateway.Listener() };
        return await http.GetStringAsync(new Uri("/", UriKind.Relative));
    }

    [Fact]
    public async Task FromKeyToRestart_OnlyWhatIsSignedAndNewerGoesIn()
    {
        using var folder = new TempFolder();
        async Task<CommandResult> Bundle(params string[] arguments) => await Command.RunAsync(GatewayProcess.CtlExecutable, ["bundle", .. arguments]);
        Assert.Equal(0, (await Bundle("keygen", "--out", folder["a"])).ExitCode);
        Assert.Equal(0, (await Bundle("keygen", "--out", folder["b"])).ExitCode);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(folder["a.key"]));
        CommandResult again = await Bundle("keygen", "--out", folder["a"]);
        Assert.Equal(1, again.ExitCode);

        async Task<string> SignAsync(string name, string body, int sequence, params string[] keys)
        {
            CommandResult signed = await Bundle(["sign", .. keys.SelectMany(k => new[] { "--key", folder[k + ".key"] }), "--sequence", $"{sequence}", "--source", "git abc", folder.Write(name + ".json", Answer(body)), "-o", folder[name]]);
            Assert.True(signed.ExitCode == 0, signed.Both);
            return folder[name];
        }
        string both = await SignAsync("both", "two", 2, "a", "b"), one = await SignAsync("one", "three", 3, "a"), three = await SignAsync("three", "three", 3, "a", "b");
        string[] trust = ["--public-key", folder["a.pub"], "--public-key", folder["b.pub"], "--threshold", "2"];
        CommandResult verified = await Bundle(["verify", .. trust, both]);
        Assert.Matches("sequence +2\n(.|\n)*source +git abc\n(.|\n)*signed by", verified.Out);
        CommandResult short1 = await Bundle(["verify", .. trust, one]);
        Assert.Equal(1, short1.ExitCode);
        Assert.Contains("threshold_not_met", short1.Error, StringComparison.Ordinal);
        Assert.Matches("claims key", (await Bundle("inspect", one)).Out);

        var options = new GatewayProcessOptions { Arguments = trust, Folder = folder };
        await using (GatewayProcess gateway = await GatewayProcess.StartAsync(Answer("file"), options))
        {
            await TakesOnlySignedAndNewerAsync(gateway, folder, both, one, three);
            await gateway.KillAsync();
        }
        await using GatewayProcess restarted = await GatewayProcess.StartAsync(null, options);
        Assert.Equal("three", await BodyAsync(restarted));
        Assert.Contains("stale_sequence", (await restarted.CtlAsync("bundle", "push", three)).Error, StringComparison.Ordinal);
        Assert.Contains("stale_sequence", (await restarted.CtlAsync("bundle", "push", both)).Error, StringComparison.Ordinal);
        Assert.Equal("three", await BodyAsync(restarted));
        Assert.Equal(2, (await restarted.MetricsAsync()).Sum("gateway_bundle_verifications_total", "result=\"stale_sequence\""));
    }

    private static async Task TakesOnlySignedAndNewerAsync(GatewayProcess gateway, TempFolder folder, string both, string one, string three)
    {
        Assert.Equal("file", await BodyAsync(gateway));
        Assert.StartsWith("applied ", (await gateway.CtlAsync("bundle", "push", both)).Out, StringComparison.Ordinal);
        Assert.Equal("two", await BodyAsync(gateway));
        CommandResult unsigned = await gateway.CtlAsync("apply", folder.Write("plain.json", Answer("plain")));
        Assert.Equal(1, unsigned.ExitCode);
        Assert.Contains("unsigned_refused", unsigned.Error, StringComparison.Ordinal);
        Assert.Contains("threshold_not_met", (await gateway.CtlAsync("bundle", "push", one)).Error, StringComparison.Ordinal);
        Assert.Contains("stale_sequence", (await gateway.CtlAsync("bundle", "push", both)).Error, StringComparison.Ordinal);
        Assert.StartsWith("applied ", (await gateway.CtlAsync("bundle", "push", three)).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AKeyThatIsNone_AndAThresholdThatCannotBeMet_AreToldAtStart()
    {
        using var folder = new TempFolder();
        string config = folder.Write("gateway.json", Answer("x")), bad = folder.Write("bad.pub", "hello");
        CommandResult noKey = await GatewayProcess.RunAsync("run", "--config", config, "--data-dir", folder["data"], "--public-key", bad);
        Assert.Equal(1, noKey.ExitCode);
        Assert.Contains("it is not PEM", noKey.Error, StringComparison.Ordinal);
        CommandResult threshold = await GatewayProcess.RunAsync("run", "--config", config, "--data-dir", folder["data"], "--threshold", "2");
        Assert.Equal(1, threshold.ExitCode);
        Assert.Contains("--threshold is 2", threshold.Error, StringComparison.Ordinal);
    }
}
