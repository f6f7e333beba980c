using System.Text.Json;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Ctl;

/// <summary>gatewayctl diff against a running gateway.</summary>
public sealed class DiffCommandTests
{
    private static string Document(string path, string keep = "100") => Doc.Of(
        routes: string.Join(", ", Doc.Route("shop", Doc.Prefix(path)), Doc.Route("rest", "", "other")),
        pools: string.Join(", ", Doc.Pool("main", "127.0.0.1:1"), Doc.Pool("other", "127.0.0.1:2")),
        more: $$"""
        "history": { "keep": {{keep}} }
        """);

    [Fact]
    public async Task WhatWasLiveEarlier_IsComparedPrintedFoundAndGoneBackTo()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document("/v0"));
        string v1 = await gateway.ApplyAsync(Document("/v1")), v2 = await gateway.ApplyAsync(Document("/v2"));
        JsonElement[] history = [.. (await gateway.GetAsync("/admin/history")).Json.GetProperty("entries").EnumerateArray()];
        string v0 = history[2].GetProperty("version").GetString()!, then = history[1].GetProperty("time").GetString()!;

        CommandResult two = await gateway.CtlAsync("diff", v0[..8], v2[..8]);
        Assert.Equal((0, ""), (two.ExitCode, two.Error));
        Assert.StartsWith($"{v0[..12]} -> {v2[..12]}\n", two.Out, StringComparison.Ordinal);
        Assert.Contains("match.path.prefix: \"/v0\" -> \"/v2\"\n", two.Out, StringComparison.Ordinal);
        string file = gateway.Folder.Write("one.json", Document("/v1"));
        Assert.Equal($"no difference: both are {v1[..12]}\n", (await gateway.CtlAsync("diff", file, "--at", v1[..8])).Out);
        Assert.Equal($"no difference: both are {v1[..12]}\n", (await gateway.CtlAsync("diff", file, "--at", then)).Out);
        Assert.Equal(2, (await gateway.CtlAsync("diff", v0, v1, "--at", v2)).ExitCode);

        Assert.Equal(Document("/v1"), (await gateway.CtlAsync("config", "--at", then)).Out);
        Assert.Equal(Document("/v2"), (await gateway.CtlAsync("config")).Out);

        Assert.DoesNotContain(v1[..12], (await gateway.CtlAsync("history", "--source", "file")).Out, StringComparison.Ordinal);
        Assert.Contains(v1[..12], (await gateway.CtlAsync("history", "--source", "admin", "--result", "applied", "--until", "2999-01-01")).Out, StringComparison.Ordinal);
        Assert.Equal(1, JsonDocument.Parse((await gateway.CtlAsync("history", "--of", v1[..8], "--json")).Out).RootElement.GetProperty("entries").GetArrayLength());
        Assert.Equal(2, (await gateway.CtlAsync("history", "--since", "soon")).ExitCode);

        CommandResult back = await gateway.CtlAsync("rollback", "--at", then);
        Assert.StartsWith($"rolled back to {v1} from {v2[..12]}", back.Out, StringComparison.Ordinal);
        Assert.Equal(2, (await gateway.CtlAsync("rollback", v0, "--at", then)).ExitCode);
    }

    [Fact]
    public async Task ADocument_IsComparedByWordAndByRequest()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document("/api"));
        CommandResult same = await gateway.CtlAsync("diff", gateway.Folder.Write("same.json", Document("/api")));
        Assert.StartsWith("no difference: ", same.Out, StringComparison.Ordinal);
        CommandResult words = await gateway.CtlAsync("diff", gateway.Folder.Write("words.json", Document("/api", keep: "7")));
        Assert.Contains("~ history\n    keep: 100 -> 7\n", words.Out, StringComparison.Ordinal);
        Assert.Contains("requests: equivalent", words.Out, StringComparison.Ordinal);
        CommandResult path = await gateway.CtlAsync("diff", gateway.Folder.Write("path.json", Document("/api/v2")));
        Assert.Equal((0, ""), (path.ExitCode, path.Error));
        Assert.Contains("~ routes shop\n    match.path.prefix: \"/api\" -> \"/api/v2\"\n", path.Out, StringComparison.Ordinal);
        Assert.Contains(
            """
            requests: shop (pool main) -> rest (pool other) (route, pool)
                on       web
                for      any method, host *, path prefix /api
                but not  what shop would take first
                such as  GET http://host.test/api
            """.ReplaceLineEndings("\n"), path.Out, StringComparison.Ordinal);
        CommandResult broken = await gateway.CtlAsync("diff", gateway.Folder.Write("broken.json", "{}"));
        Assert.Equal(1, broken.ExitCode);
        Assert.Contains("version: missing_field", broken.Error, StringComparison.Ordinal);
    }
}
