using System.Net.WebSockets;
using System.Text.Json;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.DataPlane;

/// <summary>One request is served by one snapshot from its start to its end, whatever is applied meanwhile.</summary>
public sealed class SnapshotTests
{
    // Three places of a document that must agree in every answer: the route's name, the pool's endpoint and the version in the access log.
    private static string Config(string generation, HttpOrigin origin) => Doc.Of(Doc.Route($"route-{generation}", pool: $"pool-{generation}"), Doc.Pool($"pool-{generation}", origin.Address));

    private static void EachLineAgrees(GatewayProcess gateway, IReadOnlyDictionary<string, (string Generation, string Endpoint)> versions)
    {
        foreach (JsonElement line in gateway.AccessLog)
        {
            (string generation, string endpoint) = versions[line.GetProperty("snapshot").GetString()!];
            Assert.Equal(($"route-{generation}", $"pool-{generation}", endpoint), (
                line.GetProperty("route").GetString(), line.GetProperty("pool").GetString(), line.GetProperty("endpoint").GetString()));
        }
    }

    [Fact]
    public async Task SwapsWhileRequestsAreAtEveryPhase_EachRequestSeesOneSnapshot()
    {
        await using HttpOrigin a = await HttpOrigin.StartAsync("a");
        await using HttpOrigin b = await HttpOrigin.StartAsync("b");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Config("a", a));
        Uri web = gateway.Listener();
        string first = (await gateway.GetAsync("/admin/snapshot")).Json.GetProperty("version").GetString()!;

        // Phase 1: half a request head. Not bound yet: it gets whatever is live when its head is whole.
        await using RawHttpClient headHalfSent = await RawHttpClient.ConnectAsync(web);
        await headHalfSent.SendAsync("GET /head HTTP/1.1\r\nHost: gate");
        // Phase 2: in the request body.
        await using RawHttpClient uploading = await RawHttpClient.ConnectAsync(web);
        await uploading.SendAsync("POST /sink HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345");
        // Phase 3: waiting for the response head.
        await using RawHttpClient waiting = await RawHttpClient.ConnectAsync(web);
        await waiting.SendAsync(Doc.Get("/hold?gate=hold"));
        // Phase 4: in the response body, on both versions.
        await using RawHttpClient downloading = await RawHttpClient.ConnectAsync(web);
        await downloading.SendAsync(Doc.Get("/half?gate=half"));
        RawResponse half = (await downloading.ReadHeadAsync())!;
        using HttpClient h2 = H2Client.Http2(web);
        using HttpResponseMessage half2 = await h2.GetAsync("/half?gate=half", HttpCompletionOption.ResponseHeadersRead);
        // Phase 5: upgraded. Phase 6: idle between two requests of a keep-alive connection.
        using ClientWebSocket socket = await H2Client.OpenWebSocketAsync(new Uri(web, "/ws"), new Version(1, 1));
        Assert.Equal("before", await socket.ExchangeAsync("before"));
        await using RawHttpClient idle = await RawHttpClient.ConnectAsync(web);
        Assert.Equal("a", (await idle.RequestAsync(Doc.Get()))["x-origin"]);
        await Eventually.Until("all are where they should be", () => a.InFlight == 5);

        string second = await gateway.ApplyAsync(Config("b", b));
        Assert.Equal("b", (await idle.RequestAsync(Doc.Get()))["x-origin"]);
        _ = await gateway.ApplyAsync(Config("a", a));
        Assert.Equal("a", (await idle.RequestAsync(Doc.Get()))["x-origin"]);
        _ = await gateway.ApplyAsync(Config("b", b));
        Assert.True((await gateway.MetricsAsync()).Sum("gateway_retired_snapshots") >= 1);

        await headHalfSent.SendAsync("way.test\r\n\r\n");
        Assert.Equal("b", (await headHalfSent.ReadResponseAsync())["x-origin"]);
        await uploading.SendAsync("67890");
        RawResponse uploaded = await uploading.ReadResponseAsync();
        Assert.Equal(("a", 200), (uploaded["x-origin"], uploaded.Status));
        Assert.StartsWith("10 ", uploaded.Text);
        a.Gate("hold").Open();
        Assert.Equal("a", (await waiting.ReadResponseAsync())["x-origin"]);
        a.Gate("half").Open();
        await downloading.ReadBodyAsync(half);
        Assert.Equal(("first second", true, "a"), (half.Text, half.IsWhole, half["x-origin"]));
        Assert.Equal("first second", await half2.Content.ReadAsStringAsync());
        Assert.Equal("after", await socket.ExchangeAsync("after"));
        foreach (RawHttpClient client in (RawHttpClient[])[uploading, waiting, downloading]) Assert.Equal("b", (await client.RequestAsync(Doc.Get()))["x-origin"]);
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "", new CancellationTokenSource(10_000).Token);
        await Eventually.Until("no retired snapshot is held", async () => (await gateway.MetricsAsync()).Sum("gateway_retired_snapshots") == 0);
        await Eventually.Until("every request is in the access log", () => gateway.AccessLog.Count >= 12);
        EachLineAgrees(gateway, new Dictionary<string, (string, string)> { [first] = ("a", a.Address), [second] = ("b", b.Address) });
    }

    [Fact]
    public async Task SwapsUnderTraffic_NoAnswerMixesTwoSnapshots()
    {
        await using HttpOrigin a = await HttpOrigin.StartAsync("a");
        await using HttpOrigin b = await HttpOrigin.StartAsync("b");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Config("a", a));
        string first = (await gateway.GetAsync("/admin/snapshot")).Json.GetProperty("version").GetString()!;
        using var stop = new CancellationTokenSource();
        Task<int>[] clients = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            int sent = 0;
            await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
            for (; !stop.IsCancellationRequested; sent++) Assert.Equal(200, (await client.RequestAsync(Doc.Get("/bytes/100"))).Status);
            return sent;
        }))];
        string second = "";
        for (int i = 0; i < 50; i++)
        {
            second = await gateway.ApplyAsync(Config("b", b));
            _ = await gateway.ApplyAsync(Config("a", a));
        }
        await stop.CancelAsync();
        int total = (await Task.WhenAll(clients)).Sum();
        await Eventually.Until($"{total} lines of access log", () => gateway.AccessLog.Count == total);
        Assert.True(a.RequestCount > 0 && b.RequestCount > 0, $"{a.RequestCount} {b.RequestCount}");
        EachLineAgrees(gateway, new Dictionary<string, (string, string)> { [first] = ("a", a.Address), [second] = ("b", b.Address) });
    }

    [Fact]
    public async Task RemovedEndpoint_FinishesWhatItHasAndItsConnectionsClose()
    {
        await using HttpOrigin kept = await HttpOrigin.StartAsync("kept");
        await using RawOrigin removed = RawOrigin.Start(async connection =>
        {
            while (await connection.ReadHeadAsync() is not null) await connection.RespondAsync(200, "removed");
        });
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(removed.Address));
        Assert.Equal("removed", (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Text);
        Assert.Equal(WireEnd.Open, removed.Connections[0].End);
        _ = await gateway.ApplyAsync(Doc.Proxy(kept.Address));
        await Eventually.Until("the idle connection to the removed endpoint is closed", () => removed.Connections[0].End != WireEnd.Open);
    }

    [Fact]
    public async Task UnchangedEndpoint_KeepsItsConnectionsAndCountersOverSwaps()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(origin.Address));
        for (int i = 0; i < 10; i++)
        {
            Assert.Equal(200, (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Status);
            _ = await gateway.ApplyAsync(Doc.Of($"{Doc.Route("all")}, {Doc.Route($"more{i}", Doc.Prefix($"/more{i}"))}", Doc.Pool("main", origin.Address)));
        }
        // One on each event loop that a client happened to be on.
        Assert.InRange(origin.ConnectionCount, 1, Environment.ProcessorCount);
        JsonElement endpoint = (await gateway.GetAsync("/admin/pools")).Json.GetProperty("pools")[0].GetProperty("endpoints")[0];
        Assert.Equal(10, endpoint.GetProperty("attempts").GetInt64());
        Assert.Equal(10, (await gateway.MetricsAsync()).Sum("gateway_requests_total", "route=\"all\""));
    }

    [Fact]
    public async Task TooManyRetiredSnapshotsInUse_HoldAnApplyBackButNotARollback()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(origin.Address));
        string Next(int i) => Doc.Of($"{Doc.Route("all")}, {Doc.Route($"r{i}", Doc.Prefix($"/r{i}"))}", Doc.Pool("main", origin.Address));
        var holding = new List<RawHttpClient>();
        AdminAnswer answer = null!;
        for (int i = 0; i < 14; i++)
        {
            holding.Add(await RawHttpClient.ConnectAsync(gateway.Listener()));
            await holding[i].SendAsync(Doc.Get("/hold?gate=pressure"));
            await origin.Gate("pressure").WaitForArrivalAsync(i + 1);
            answer = await gateway.TryApplyAsync(Next(i));
            if (answer.Status != System.Net.HttpStatusCode.OK) break;
        }
        Assert.Equal((429, true), ((int)answer.Status, answer.Text.Contains("config_pressure", StringComparison.Ordinal)));
        Assert.Equal(System.Net.HttpStatusCode.OK, (await gateway.PostAsync("/admin/rollback", "{}")).Status);
        origin.Gate("pressure").Open();
        foreach (RawHttpClient client in holding) Assert.Equal(200, (await client.ReadResponseAsync()).Status);
        await Eventually.Until("an apply is taken again", async () => (await gateway.TryApplyAsync(Next(99))).Status == System.Net.HttpStatusCode.OK);
        foreach (RawHttpClient client in holding) await client.DisposeAsync();
    }
}
