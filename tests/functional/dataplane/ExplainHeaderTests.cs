using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.DataPlane;

/// <summary>X-Gateway-Explain: why a real request went where it did, for those who may ask.</summary>
public sealed class ExplainHeaderTests
{
    private const string Key = "0123456789abcdef-key";

    private static string Document(string origin, string header) => Doc.Of(
        routes: string.Join(", ",
            Doc.Route("beta", $$"""{{Doc.Prefix("/x")}}, "headers": [{ "name": "x-beta", "value": "1" }]"""),
            """{ "name": "old", "match": { "path": { "exact": "/old" } }, "redirect": { "path": "/new" } }""",
            Doc.Route("all")),
        pools: Doc.Pool("main", origin),
        more: header.Length == 0 ? "" : $$"""
        "debug": { "explainHeader": { {{header}} } }
        """);

    private static string Signed(DateTimeOffset expires, string key = Key)
    {
        string until = $"{expires.ToUnixTimeSeconds()}";
        return $"{until}.{Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.ASCII.GetBytes(key), Encoding.ASCII.GetBytes($"gateway-explain.{until}")))}";
    }

    private static async Task<(string? Answer, string Upstream)> AskAsync(GatewayProcess gateway, string target, string? value)
    {
        RawResponse response = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get(target, headers: value is null ? "" : $"X-Gateway-Explain: {value}\r\n"));
        return (response["x-gateway-explain"], response.Text);
    }

    [Fact]
    public async Task ByAddress_AnswersForwardedAndOwnResponses_AndTheQuestionNeverReachesTheUpstream()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync("one");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document(origin.Address, "\"addresses\": [\"127.0.0.0/8\"]"));
        (string? answer, string upstream) = await AskAsync(gateway, "/x/%c3%a9?token=hunter2", "1");
        JsonElement json = JsonDocument.Parse(answer!).RootElement;
        Assert.Equal(("all", "main", "web"), (json.GetProperty("route").GetString(), json.GetProperty("pool").GetString(), json.GetProperty("listener").GetString()));
        Assert.Equal(64, json.GetProperty("version").GetString()!.Length);
        Assert.Equal("header x-beta is absent; it must be \"1\"", json.GetProperty("candidates")[0].GetProperty("reason").GetString());
        Assert.DoesNotContain("hunter2", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("explain", upstream, StringComparison.OrdinalIgnoreCase);
        Assert.Equal("old", JsonDocument.Parse((await AskAsync(gateway, "/old", "1")).Answer!).RootElement.GetProperty("route").GetString());
        Assert.Null((await AskAsync(gateway, "/x", null)).Answer);
        // Of a path of thousands of bytes only what fits a header is told.
        Assert.InRange((await AskAsync(gateway, "/x/" + new string('y', 4000), "1")).Answer!.Length, 2, 4096);
    }

    [Fact]
    public async Task ByKey_AnswersOnlyWhileTheSignatureHolds()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync("one");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document(origin.Address, $"\"key\": \"{Key}\", \"addresses\": [\"10.0.0.1/32\"]"));
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        Assert.NotNull((await AskAsync(gateway, "/", Signed(now.AddMinutes(5)))).Answer);
        foreach (string refused in new[] { "1", "", ".", Signed(now.AddSeconds(-1)), Signed(now.AddDays(2)), Signed(now.AddMinutes(5), "another key of some length"), Signed(now.AddMinutes(5)) + "0", Signed(now.AddMinutes(5)).Replace('.', ',') })
        {
            (string? answer, string upstream) = await AskAsync(gateway, "/", refused);
            Assert.True(answer is null, $"'{refused}' was answered");
            Assert.DoesNotContain("x-gateway-explain", upstream, StringComparison.OrdinalIgnoreCase);
        }
    }

    [Fact]
    public async Task Off_TheHeaderMeansNothing()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync("one");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document(origin.Address, ""));
        Assert.Null((await AskAsync(gateway, "/", "1")).Answer);
    }
}
