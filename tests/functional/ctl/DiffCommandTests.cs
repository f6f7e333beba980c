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
