using System.Globalization;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Distribution;

/// <summary>A key, and bundles that <c>bin/gatewayctl</c> signs with it.</summary>
internal sealed class Signer
{
    private readonly TempFolder _folder;

    private Signer(TempFolder folder) => _folder = folder;

    public string PublicKey => _folder["release.pub"];

    public static async Task<Signer> MakeAsync(TempFolder folder)
    {
        await RunAsync("bundle", "keygen", "--out", folder["release"]);
        return new Signer(folder);
    }

    /// <summary>A configuration whose one route answers with the text.</summary>
    public static string Saying(string text, string more = "") => Doc.Of($$"""{ "name": "r", "respond": { "body": "{{text}}" }{{more}} }""", "");

    /// <summary>Signs and returns the bundle's file.</summary>
    public async Task<string> SignAsync(int sequence, string config)
    {
        string name = sequence.ToString(CultureInfo.InvariantCulture);
        await RunAsync("bundle", "sign", "--key", _folder["release.key"], "--sequence", name, "--notes", $"number {name}", _folder.Write($"signed/{name}.json", config), "-o", _folder[$"signed/{name}.bundle"]);
        return _folder[$"signed/{name}.bundle"];
    }

    /// <summary>Signs, and publishes into the folder.</summary>
    public async Task<byte[]> PublishAsync(string folder, int sequence, string config)
    {
        string file = await SignAsync(sequence, config);
        await RunAsync("bundle", "publish", "--dir", folder, file);
        return await File.ReadAllBytesAsync(file);
    }

    private static async Task RunAsync(params string[] arguments)
    {
        CommandResult result = await Command.RunAsync(GatewayProcess.CtlExecutable, arguments);
        Assert.True(result.ExitCode == 0, $"{string.Join(' ', arguments)}: {result.Both}");
    }
}
