using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.DataPlane;

public sealed class BalancingTests
{
    [Fact]
    public async Task RoundRobin_IsExactByWeight()
    {
        await using HttpOrigin a = await HttpOrigin.StartAsync("a");
        await using HttpOrigin b = await HttpOrigin.StartAsync("b");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Doc.Route("all"),
            $$"""
            "main": { "loadBalancing": "roundRobin", "endpoints": [ { "address": "{{a.Address}}", "weight": 3 }, { "address": "{{b.Address}}", "weight": 1 } ] }
            """));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        for (int i = 0; i < 40; i++) Assert.Equal(200, (await client.RequestAsync(Doc.Get())).Status);
        Assert.Equal((30, 10), (a.RequestCount, b.RequestCount));
    }

    [Fact]
    public async Task LeastRequests_LooksAtWhatIsInFlightToTheEndOfTheBody()
    {
        await using HttpOrigin a = await HttpOrigin.StartAsync("a");
        await using HttpOrigin b = await HttpOrigin.StartAsync("b");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(a.Address, b.Address));
        await using RawHttpClient first = await RawHttpClient.ConnectAsync(gateway.Listener());
        await first.SendAsync(Doc.Get("/half?gate=hold"));
        string busy = (await first.ReadHeadAsync())!["x-origin"]!;
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        // One of two is busy with a body: power of two choices over two endpoints always sees both.
        for (int i = 0; i < 20; i++) Assert.NotEqual(busy, (await client.RequestAsync(Doc.Get()))["x-origin"]);
        (busy == "a" ? a : b).Gate("hold").Open();
        await Eventually.Until("the busy one is chosen again", async () => (await client.RequestAsync(Doc.Get()))["x-origin"] == busy);
    }

    [Fact]
    public async Task WeightZero_GetsNothing()
    {
        await using HttpOrigin a = await HttpOrigin.StartAsync("a");
        await using HttpOrigin b = await HttpOrigin.StartAsync("b");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Doc.Route("all"),
            $$"""
            "main": { "endpoints": [ { "address": "{{a.Address}}", "weight": 0 }, { "address": "{{b.Address}}" } ] }
            """));
        for (int i = 0; i < 20; i++) Assert.Equal("b", (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get()))["x-origin"]);
        Assert.Equal(0, a.RequestCount);
    }

    [Fact]
    public async Task MaxPerEndpoint_BoundsUpstreamConnections()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Doc.Route("all"),
            Doc.PoolWith("main", "\"connections\": { \"maxPerEndpoint\": 3 }", origin.Address)));
        Task<RawResponse>[] requests = [.. Enumerable.Range(0, 12).Select(_ => RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/hold?gate=g")))];
        await origin.Gate("g").WaitForArrivalAsync(3);
        origin.Gate("g").Open();
        Assert.All(await Task.WhenAll(requests), r => Assert.Equal(200, r.Status));
        Assert.Equal(3, origin.MaxInFlight);
        // Three at a time; one is replaced now and then, for a connection cannot leave the event loop that it was opened on.
        Assert.InRange(origin.ConnectionCount, 3, 3 + requests.Length / 2);
    }

    [Fact]
    public async Task IdleUpstreamConnection_IsClosedAfterItsTime()
    {
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            while (await connection.ReadHeadAsync() is not null) await connection.RespondAsync(200, "ok");
        });
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Doc.Route("all"),
            Doc.PoolWith("main", "\"connections\": { \"idleTimeout\": \"1s\" }", origin.Address)));
        Assert.Equal(200, (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Status);
        await Eventually.Until("the idle connection is closed", () => origin.Connections[0].End != WireEnd.Open);
    }

    [Fact]
    public async Task StaleKeepAliveConnection_DoesNotFailTheNextRequest()
    {
        // The origin closes after each answer without saying so.
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            if (await connection.ReadHeadAsync() is not null) await connection.RespondAsync(200, "ok");
        });
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(origin.Address));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        for (int i = 0; i < 50; i++)
        {
            RawResponse response = await client.RequestAsync(Doc.Get());
            Assert.True(response.Status == 200, $"request {i}: {response}");
        }
    }
}
