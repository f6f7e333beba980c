using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Resilience;

/// <summary>Bounds on what one endpoint has at once, requests and connections: at the bound, one beyond it, and what the metrics say.</summary>
public sealed class EndpointRoomTests : IAsyncLifetime
{
    private HttpOrigin _a = null!, _b = null!;

    public async ValueTask InitializeAsync()
    {
        _a = await HttpOrigin.StartAsync("a");
        _b = await HttpOrigin.StartAsync("b");
    }

    public async ValueTask DisposeAsync()
    {
        await _a.DisposeAsync();
        await _b.DisposeAsync();
    }

    private string Document(string connections, string route = "") =>
        Doc.Of(Doc.Route("all", more: route), Doc.PoolWith("main", $"\"connections\": {{ {connections} }}", _a.Address, _b.Address), more: Doc.NoAccessLog);

    [Fact]
    public async Task AtTheBoundOfRequests_TheNextWaits_AndWhoCannotIsTurnedAway()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document("\"maxRequestsPerEndpoint\": 3, \"maxQueue\": 2, \"queueTimeout\": \"1m\""));
        Task<RawResponse>[] held = [.. Enumerable.Range(0, 6).Select(_ => RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/hold?gate=g")))];
        await _a.Gate("g").WaitForArrivalAsync(3);
        await _b.Gate("g").WaitForArrivalAsync(3);
        Task<RawResponse>[] waiting = [RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get()), RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())];
        await Eventually.Until("two wait", async () => (await gateway.MetricsAsync()).Sum("gateway_upstream_queue_requests", "pool=\"main\"") == 2);
        RawResponse beyond = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get());
        Assert.Equal("1", beyond["Retry-After"]);
        Problem.Is(beyond, 503, "overloaded");
        Assert.Equal((3, 3), (_a.RequestCount, _b.RequestCount));
        MetricSamples metrics = await gateway.MetricsAsync();
        Assert.Equal((1, 0), (metrics.Sum("gateway_upstream_queue_rejections_total", "reason=\"full\""), metrics.Sum("gateway_upstream_queue_rejections_total", "reason=\"timeout\"")));
        Assert.Equal(1, metrics.Sum("gateway_overload_rejections_total", "route=\"all\""));

        _b.Gate("g").LetPass();
        Assert.Equal("b", (await await Task.WhenAny(waiting))["x-origin"]);
        _a.Gate("g").Open();
        _b.Gate("g").Open();
        foreach (Task<RawResponse> request in (Task<RawResponse>[])[.. held, .. waiting]) Assert.Equal(200, (await request).Status);
        Assert.Equal((3, 3), (_a.MaxInFlight, _b.MaxInFlight));
    }

    [Fact]
    public async Task AnApply_TakesTheNewBound_AndKeepsCountOfWhoRuns()
    {
        const string Short = "\"maxQueue\": 0";
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document($"\"maxRequestsPerEndpoint\": 1, {Short}"));
        Task<RawResponse>[] held = [.. Enumerable.Range(0, 2).Select(_ => RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/hold?gate=g")))];
        await _a.Gate("g").WaitForArrivalAsync();
        await _b.Gate("g").WaitForArrivalAsync();
        // The same bound again: those who run are counted still.
        await gateway.ApplyAsync(Document($"\"maxRequestsPerEndpoint\": 1, {Short}, \"idleTimeout\": \"80s\""));
        Assert.Equal(503, (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Status);
        await gateway.ApplyAsync(Document($"\"maxRequestsPerEndpoint\": 2, {Short}"));
        Assert.Equal(200, (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Status);
        await gateway.ApplyAsync(Document($"\"maxRequestsPerEndpoint\": 0, {Short}"));
        for (int i = 0; i < 4; i++) Assert.Equal(200, (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Status);
        Assert.False((await gateway.MetricsAsync()).Has("gateway_upstream_queue_requests"));
        _a.Gate("g").Open();
        _b.Gate("g").Open();
        foreach (Task<RawResponse> request in held) Assert.Equal(200, (await request).Status);
    }

    [Fact]
    public async Task AtTheBoundOfConnections_TheNextWaits_AndWhoCannotIsTurnedAway_WhichIsNotTheEndpointsDoing()
    {
        // An attempt's time is shorter than the wait: it begins after it.
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(
            Doc.Route("all", more: "\"timeouts\": { \"attempt\": \"400ms\" }, \"retry\": { \"attempts\": 1 }"),
            Doc.PoolWith("main", "\"connections\": { \"maxPerEndpoint\": 2, \"maxQueue\": 2, \"queueTimeout\": \"1s\" }, \"health\": { \"passive\": { \"failures\": 1 } }", _a.Address), more: Doc.NoAccessLog));
        List<RawHttpClient> busy = [];
        for (int i = 0; i < 2; i++)
        {
            RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
            busy.Add(client);
            // The attempt's time ends at the head, so what holds the connection is the body.
            await client.SendAsync(Doc.Get("/half?gate=g"));
            Assert.Equal(200, (await client.ReadHeadAsync())!.Status);
        }
        Assert.Equal(2, (await gateway.MetricsAsync()).Sum("gateway_upstream_connections", "pool=\"main\"", "state=\"active\""));
        Task<RawResponse>[] late = [RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get()), RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())];
        await Eventually.Until("two wait", async () => (await gateway.MetricsAsync()).Sum("gateway_upstream_queue_requests", "pool=\"main\"") == 2);
        RawResponse beyond = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get());
        foreach (RawResponse response in (IEnumerable<RawResponse>)[beyond, await late[0], await late[1]])
        {
            Problem.Is(response, 503, "overloaded");
            Assert.Equal("1", response["Retry-After"]);
        }
        Assert.Equal((2, 2), (_a.RequestCount, _a.ConnectionCount));
        MetricSamples metrics = await gateway.MetricsAsync();
        Assert.Equal((1, 2), (metrics.Sum("gateway_upstream_queue_rejections_total", "reason=\"full\""), metrics.Sum("gateway_upstream_queue_rejections_total", "reason=\"timeout\"")));
        Assert.Equal((0, 1), (metrics.Sum("gateway_outlier_ejections_total"), metrics.Sum("gateway_endpoint_healthy")));
        Task<RawResponse> waiting = RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get());
        _a.Gate("g").Open();
        Assert.Equal(200, (await waiting).Status);
        Assert.Equal(2, _a.MaxInFlight);
        foreach (RawHttpClient client in busy) await client.DisposeAsync();
    }
}
