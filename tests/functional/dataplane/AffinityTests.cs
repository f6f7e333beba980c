using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.DataPlane;

/// <summary>Clients that a cookie keeps to an endpoint.</summary>
public sealed class AffinityTests : IAsyncLifetime
{
    private FaultOrigin _a = null!, _b = null!;

    public ValueTask InitializeAsync()
    {
        (_a, _b) = (FaultOrigin.Start("a"), FaultOrigin.Start("b"));
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _a.DisposeAsync();
        await _b.DisposeAsync();
    }

    private static string Document(string more, params string[] endpoints) =>
        Doc.Of(Doc.Route("all"), Doc.PoolWith("main", $$"""
            "affinity": { "cookie": "gw"{{more}} }, "loadBalancing": "roundRobin"
            """, endpoints));

    private static async Task<(string Origin, string? Cookie)> AskAsync(RawHttpClient client, string? cookie)
    {
        RawResponse response = await client.RequestAsync(Doc.Get(headers: cookie is null ? "" : $"Cookie: a=b; gw={cookie}\r\n"));
        Assert.Equal(200, response.Status);
        return (response["x-origin"]!, response["set-cookie"]);
    }

    private static string ValueOf(string field) => field["gw=".Length..].Split(';')[0];

    [Fact]
    public async Task AClientWithTheCookie_StaysWithItsEndpoint_AndOthersGoByTurns()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document(", \"ttl\": \"1h\"", _a.Address, _b.Address));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        (string first, string? field) = await AskAsync(client, null);
        Assert.Matches("^gw=[A-Za-z0-9_-]{22}; Max-Age=3600; Path=/; HttpOnly; SameSite=Lax$", field!);
        Assert.DoesNotContain("127.0.0.1", field);
        for (int i = 0; i < 20; i++) Assert.Equal((first, null), await AskAsync(client, ValueOf(field!)));

        HashSet<string> others = [];
        for (int i = 0; i < 4; i++) others.Add((await AskAsync(client, null)).Origin);
        Assert.Equal(2, others.Count);
        // One that the gateway did not make is as none.
        Assert.NotNull((await AskAsync(client, "forged-forged-forged-x")).Cookie);
    }

    [Fact]
    public async Task WhenTheEndpointIsGone_AnotherTakesTheClient_AndTheCookieIsSetAnew()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document("", _a.Address, _b.Address));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        (string first, string? field) = await AskAsync(client, null);
        Assert.DoesNotContain("Max-Age", field);
        FaultOrigin other = first == "a" ? _b : _a;
        await gateway.ApplyAsync(Document("", other.Address));
        (string second, string? again) = await AskAsync(client, ValueOf(field!));
        Assert.Equal(other.Id, second);
        Assert.NotEqual(ValueOf(field!), ValueOf(again!));
        // It comes back, and the client stays where it is now.
        await gateway.ApplyAsync(Document("", _a.Address, _b.Address));
        for (int i = 0; i < 10; i++) Assert.Equal((other.Id, null), await AskAsync(client, ValueOf(again!)));
    }

    [Fact]
    public async Task ARestart_KeepsClientsWhereTheyAre_AndAnotherKeyDoesNot()
    {
        using var folder = new TempFolder();
        string? field;
        string first;
        await using (GatewayProcess gateway = await GatewayProcess.StartAsync(Document("", _a.Address, _b.Address), new GatewayProcessOptions { Folder = folder }))
        await using (RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener()))
            (first, field) = await AskAsync(client, null);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(folder["data/affinity.key"]));
        await using (GatewayProcess gateway = await GatewayProcess.StartAsync(null, new GatewayProcessOptions { Folder = folder }))
        await using (RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener()))
            for (int i = 0; i < 10; i++) Assert.Equal((first, null), await AskAsync(client, ValueOf(field!)));
        File.Delete(folder["data/affinity.key"]);
        await using (GatewayProcess gateway = await GatewayProcess.StartAsync(null, new GatewayProcessOptions { Folder = folder }))
        await using (RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener()))
            Assert.NotNull((await AskAsync(client, ValueOf(field!))).Cookie);
    }

    [Fact]
    public async Task BehindTls_TheCookieIsSecure_AndTheOriginsOwnStayBesideIt()
    {
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            while (await connection.ReadHeadAsync() is not null) await connection.SendAsync("HTTP/1.1 200 OK\r\nx-origin: o\r\nSet-Cookie: own=1\r\nContent-Length: 0\r\n\r\n");
        });
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Doc.Route("all"),
            Doc.PoolWith("main", "\"affinity\": { \"cookie\": \"gw\" }", origin.Address),
            """{ "name": "web", "address": "127.0.0.1:0", "trustedProxies": [ "127.0.0.0/8" ] }"""));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        RawResponse response = await client.RequestAsync(Doc.Get(headers: "X-Forwarded-Proto: https\r\n"));
        string[] cookies = [.. response.Headers.Where(static h => h.Key.Equals("set-cookie", StringComparison.OrdinalIgnoreCase)).Select(static h => h.Value)];
        Assert.Equal("own=1", cookies[0]);
        Assert.EndsWith("; SameSite=Lax; Secure", cookies[1]);
    }

    [Fact]
    public async Task MaxIdlePerEndpoint_ClosesWhatIsBeyondIt()
    {
        Assert.SkipWhen(Environment.GetEnvironmentVariable("GATEWAY_TEST_TRANSPORT") == "sockets", "SKIPPED: .NET's handler bounds the time that a connection idles, not how many do");
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Doc.Route("all"),
            Doc.PoolWith("main", "\"connections\": { \"maxIdlePerEndpoint\": 2 }", origin.Address)));
        Task<RawResponse>[] requests = [.. Enumerable.Range(0, 12).Select(_ => RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/hold?gate=g")))];
        await origin.Gate("g").WaitForArrivalAsync(12);
        Assert.Equal(12, (await gateway.MetricsAsync()).Sum("gateway_upstream_connections", "pool", "main"));
        origin.Gate("g").Open();
        await Task.WhenAll(requests);
        // Each loop keeps its part, and one at least.
        int loops = Math.Min(Environment.ProcessorCount, 12);
        await Eventually.Until("no more than two stay, or one for each loop", async () => (await gateway.MetricsAsync()).Sum("gateway_upstream_connections", "pool", "main") <= Math.Max(2, loops));
    }
}
