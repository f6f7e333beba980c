using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Ctl;

/// <summary>gatewayctl explain against a running gateway: what it says is what the gateway then does.</summary>
public sealed class ExplainCommandTests
{
    private static string Document(string origin, string betaHeader = "1") => Doc.Of(
        routes: string.Join(", ",
            Doc.Route("beta", $$"""{{Doc.Prefix("/api")}}, "headers": [{ "name": "x-beta", "value": "{{betaHeader}}" }]""", "beta"),
            Doc.Route("shop", Doc.Prefix("/api"), "shop"),
            """{ "name": "down", "match": { "path": { "exact": "/down" } }, "respond": { "status": 503, "body": "soon" } }"""),
        pools: string.Join(", ", Doc.Pool("shop", origin), Doc.Pool("beta", origin)));

    [Fact]
    public async Task TheExplanation_IsWhatTheGatewayThenDoes_AndHistoryAndCandidatesAreAsked()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync("one");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document(origin.Address));
        string url = new Uri(gateway.Listener(), "/api/x").ToString();

        CommandResult explained = await gateway.CtlAsync("explain", "-X", "POST", url, "-H", "X-Beta: 2", "-H", "accept: */*");
        Assert.Equal((0, ""), (explained.ExitCode, explained.Error));
        Assert.Matches(@"listener +web \(it serves http on port \d+\)", explained.Out);
        Assert.Matches(@"route +shop\n", explained.Out);
        Assert.Matches("beta +header +header x-beta is \"2\"; it must be \"1\"", explained.Out);
        Assert.Matches(@"shop +won +any host, prefix /api", explained.Out);
        Assert.Matches($@"shop +http1 +leastRequests +{origin.Address}", explained.Out);

        CommandResult down = await gateway.CtlAsync("explain", new Uri(gateway.Listener(), "/down").ToString());
        Assert.Matches(@"answer +503, Content-Type: text/plain", down.Out);
        using var http = new HttpClient(H2Client.Handler()) { BaseAddress = gateway.Listener() };
        using HttpResponseMessage served = await http.GetAsync(new Uri("/down", UriKind.Relative));
        Assert.Equal(503, (int)served.StatusCode);

        // A candidate, then live, then the version before.
        string next = gateway.Folder.Write("next.json", Document(origin.Address, betaHeader: "2"));
        Assert.Matches(@"route +beta\n", (await gateway.CtlAsync("explain", url, "-H", "x-beta: 2", "--config", next)).Out);
        string version = (await gateway.CtlAsync("snapshot", "--json")).Out.Split("\"version\": \"")[1][..64];
        Assert.Equal(0, (await gateway.CtlAsync("apply", next)).ExitCode);
        Assert.Matches(@"route +beta\n", (await gateway.CtlAsync("explain", url, "-H", "x-beta: 2")).Out);
        Assert.Matches(@"route +shop\n", (await gateway.CtlAsync("explain", url, "-H", "x-beta: 2", "--at", version[..8])).Out);

        CommandResult bad = await gateway.CtlAsync("explain", "shop.example.com/api");
        Assert.Equal(1, bad.ExitCode);
        Assert.Contains("is no URL", bad.Error, StringComparison.Ordinal);
    }
}
