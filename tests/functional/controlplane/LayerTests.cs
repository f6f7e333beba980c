using System.Net;
using System.Text.Json;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.ControlPlane;

/// <summary>A configuration of several sources, over the admin API and gatewayctl.</summary>
public sealed class LayerTests
{
    private static string File(string body) => Doc.Of($$"""{ "name": "base", "respond": { "body": "{{body}}" } }""", "");

    private static string Over(string name) => $$"""{ "version": "v1", "merge": "byName", "routes": [ { "name": "{{name}}", "match": { {{Doc.Prefix("/" + name)}} }, "respond": { "body": "{{name}}" } } ] }""";

    private static async Task<string> TextAsync(GatewayProcess gateway, string path) => (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get(path))).Text;

    [Fact]
    public async Task AnAdminLayer_LivesOverTheFile_ThroughEditsKillAndRestart_UntilItIsRemoved()
    {
        using var folder = new TempFolder();
        var options = new GatewayProcessOptions { Folder = folder };
        await using (GatewayProcess gateway = await GatewayProcess.StartAsync(File("one"), options))
        {
            CommandResult applied = await gateway.CtlAsync("apply", folder.Write("shop.json", Over("shop")));
            Assert.True(applied.ExitCode == 0, applied.Both);
            Assert.Equal(("shop", "one"), (await TextAsync(gateway, "/shop"), await TextAsync(gateway, "/")));
            gateway.EditConfigFile(File("two"));
            await Eventually.Until("the file's change is live", async () => await TextAsync(gateway, "/") == "two");
            Assert.Equal("shop", await TextAsync(gateway, "/shop"));
            Assert.Equal(Over("shop"), (await gateway.GetAsync("/admin/config?layer=admin")).Text);
            Assert.Equal(File("two"), (await gateway.GetAsync("/admin/config?layer=file")).Text);
            Assert.Equal(HttpStatusCode.NotFound, (await gateway.GetAsync("/admin/config?layer=bundle")).Status);
            JsonElement whole = (await gateway.GetAsync("/admin/config")).Json;
            Assert.Equal("shop base", string.Join(' ', whole.GetProperty("routes").EnumerateArray().Select(r => r.GetProperty("name").GetString())));
            Assert.Matches(@"layer +admin \(100, byName\), by token.*\nlayer +file \(50, replace\), by /.*gateway.json", (await gateway.CtlAsync("snapshot")).Out);

            CommandResult conflict = await gateway.CtlAsync("apply", folder.Write("bad.json", Over("base")));
            Assert.Equal(1, conflict.ExitCode);
            Assert.Matches(@"routes\[0\]: conflict: 'base' comes from admin \(line 1, column \d+\) and from file /.*gateway.json \(routes\[0\] there\)", conflict.Error);
            CommandResult diff = await gateway.CtlAsync("diff", folder.Write("more.json", Over("more")));
            Assert.True(diff.Both.Contains("+ routes more", StringComparison.Ordinal) && diff.Both.Contains("- routes shop", StringComparison.Ordinal) && !diff.Both.Contains("routes base", StringComparison.Ordinal), diff.Both);
            AdminAnswer explained = await gateway.PostAsync("/admin/explain", $$"""{ "url": "http://a/more/x", "config": {{Over("more")}} }""");
            Assert.Equal("more", explained.Json.GetProperty("route").GetString());
            await gateway.KillAsync();
        }
        await using GatewayProcess restarted = await GatewayProcess.StartAsync(null, options);
        Assert.Equal(("shop", "two"), (await TextAsync(restarted, "/shop"), await TextAsync(restarted, "/")));
        CommandResult removed = await restarted.CtlAsync("apply", "--remove");
        Assert.StartsWith("removed; live is ", removed.Out, StringComparison.Ordinal);
        Assert.Equal(("two", "two"), (await TextAsync(restarted, "/shop"), await TextAsync(restarted, "/")));
        CommandResult again = await restarted.CtlAsync("apply", "--remove");
        Assert.Equal((1, true), (again.ExitCode, again.Error.Contains("GET /admin/snapshot lists the layers", StringComparison.Ordinal)));
        _ = await restarted.CtlAsync("rollback");
        Assert.Equal("shop", await TextAsync(restarted, "/shop"));
        Assert.Equal(2, (await restarted.CtlAsync("apply")).ExitCode);
    }
}
