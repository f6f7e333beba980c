using System.Text.Json;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Resilience;

/// <summary>Endpoints that misbehave are left alone, the ledger says why, and they come back.</summary>
public sealed class EjectionTests : IAsyncLifetime
{
    // One attempt, so that clients see what endpoints do.
    private const string ShortAttempts = "\"timeouts\": { \"attempt\": \"400ms\" }, \"retry\": { \"attempts\": 1 }";
    private readonly FaultOrigin[] _origins = [.. Enumerable.Range(0, 5).Select(i => FaultOrigin.Start($"o{i}"))];

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        foreach (FaultOrigin origin in _origins) await origin.DisposeAsync();
    }

    private string Document(string pool, int origins = 5, string route = ShortAttempts, string name = "main") =>
        Doc.Of(Doc.Route("all", pool: name, more: route), Doc.PoolWith(name, pool, [.. _origins.Take(origins).Select(o => o.Address)]), more: Doc.NoAccessLog);

    private static async Task<JsonElement> PoolAsync(GatewayProcess gateway) =>
        Assert.Single((await gateway.GetAsync("/admin/pools?pool=main&ledger=200")).Json.GetProperty("pools").EnumerateArray());

    private static JsonElement Endpoint(JsonElement pool, FaultOrigin origin) =>
        pool.GetProperty("endpoints").EnumerateArray().Single(e => e.GetProperty("address").GetString() == origin.Address);

    private static string State(JsonElement pool, FaultOrigin origin) => Endpoint(pool, origin).GetProperty("state").GetString()!;

    private static IReadOnlyList<string> Changes(JsonElement pool, FaultOrigin? origin) =>
        [.. pool.GetProperty("ledger").EnumerateArray().Reverse()
            .Where(c => (c.TryGetProperty("endpoint", out JsonElement e) ? e.GetString() : null) == origin?.Address)
            .Select(c => $"{c.GetProperty("from")} > {c.GetProperty("to")}: {c.GetProperty("cause")}")];

    /// <summary>
    /// A hang is found by attempts that run out of time: three of them, so that the three seconds need a <c>timeouts.attempt</c> well below
    /// one (here 400ms). With the default of 10s clients that meet it wait for 10s, three at least, unless probes or <c>hedge</c> help.
    /// </summary>
    [Theory]
    [InlineData(OriginProtocol.Http1)]
    [InlineData(OriginProtocol.H2c)]
    [InlineData(OriginProtocol.Https)]
    public async Task OneOfFiveHangs_ClientsRecoverWithinThreeSeconds_AndTheLedgerSaysWhy(OriginProtocol protocol)
    {
        await using FaultPool main = new(protocol, 5);
        FaultOrigin[] origins = main.Origins;
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(main.Document(ShortAttempts, "\"health\": { \"passive\": { \"eject\": \"1m\" } }"));
        // The first requests wait for code to be compiled and connections to be made; on a busy machine that may be longer than an attempt has here.
        for (int i = 0; i < 50; i++) _ = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get());
        double early = (await gateway.MetricsAsync()).Sum("gateway_errors_total", "category=\"upstream_timeout\"");
        await using SteadyLoad load = SteadyLoad.Start(gateway.Listener(), Doc.Get(), clients: 16, pause: TimeSpan.FromMilliseconds(2));
        await load.MoreAsync(500);
        Assert.All(load.Samples, s => Assert.Equal(200, s.Status));

        origins[3].Become(Fault.Hang);
        TimeSpan struck = load.Now;
        await load.UntilAsync(struck + TimeSpan.FromSeconds(3));
        long hits = origins[3].Hits;
        await load.MoreAsync(2000);

        IReadOnlyList<LoadSample> recovered = load.Since(struck + TimeSpan.FromSeconds(3));
        Assert.All(recovered, s => Assert.Equal(200, s.Status));
        Assert.InRange(SteadyLoad.Percentile(recovered, 99), TimeSpan.Zero, TimeSpan.FromMilliseconds(200));
        // No more than the clients there are can have run into it.
        Assert.InRange(load.Samples.Count(s => s.Status == 504), 3, 16);
        Assert.Equal(hits, origins[3].Hits);

        JsonElement pool = await PoolAsync(gateway);
        Assert.Equal(["healthy > ejected: no_answer"], Changes(pool, origins[3]));
        JsonElement change = Endpoint(pool, origins[3]).GetProperty("lastChange");
        Assert.Matches(@"^[3-9]\d* attempts in a row without an answer \(health\.passive\.failures 3\), the last: timeout; out for 1m, 1 of the pool are out$", change.GetProperty("detail").GetString());
        Assert.InRange(change.GetProperty("until").GetDateTimeOffset() - change.GetProperty("time").GetDateTimeOffset(), TimeSpan.FromSeconds(59), TimeSpan.FromSeconds(61));
        MetricSamples metrics = await gateway.MetricsAsync();
        Assert.Equal(early + load.Samples.Count(static s => s.Status == 504), metrics.Sum("gateway_errors_total", "category=\"upstream_timeout\""));
        Assert.Equal(1, metrics.Sum("gateway_outlier_ejections_total", "pool=\"main\"", "reason=\"no_answer\""));
        Assert.Equal((0, 4), (metrics.Sum("gateway_endpoint_healthy", $"endpoint=\"{origins[3].Address}\""), metrics.Sum("gateway_endpoint_healthy")));
        Assert.Matches($@"main +(http1|h2c|https) +leastRequests +{origins[3].Address} +1 +ejected ", (await gateway.CtlAsync("pools", "main")).Out);
        Assert.Matches($@"main +{origins[3].Address} +healthy +ejected +no_answer +\d+ attempts in a row", (await gateway.CtlAsync("pools", "main", "--ledger")).Out);
    }

    [Fact]
    public async Task AnEndpointWithTooManyFailures_IsEjected_ThoughTheyAreNotInARow()
    {
        // Three of five: never four in a row.
        _origins[1].Become(Fault.StatusShare(500, 0.6));
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document(
            "\"loadBalancing\": \"roundRobin\", \"outlier\": { \"consecutiveFailures\": 0, \"failurePercent\": 50, \"baseEjection\": \"1m\", \"latency\": { \"multiplier\": 0 } }"));
        await IsEjectedAsync(gateway, _origins[1], "failure_percent",
            @"^\d+ of \d+ attempts in 30s failed \(outlier\.failurePercent 50 of at least 20\), the last: 500; out for 1m, 1 of the pool are out$", atLeast: 20);
    }

    [Fact]
    public async Task AnEndpointThatIsTooSlow_IsEjected()
    {
        _origins[4].Become(Fault.SlowHeaders(TimeSpan.FromMilliseconds(100)));
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document(
            "\"loadBalancing\": \"roundRobin\", \"outlier\": { \"consecutiveFailures\": 0, \"failurePercent\": 0, \"baseEjection\": \"1m\", \"latency\": { \"multiplier\": 3, \"intervals\": 1 } }"));
        await IsEjectedAsync(gateway, _origins[4], "latency",
            @"^95th percentile [\d.]+ ms of \d+ answers in 10s, the pool's [\d.]+ ms \(outlier\.latency\.multiplier 3, intervals 1\); out for 1m, 1 of the pool are out$", atLeast: 50);
    }

    private async Task IsEjectedAsync(GatewayProcess gateway, FaultOrigin bad, string cause, string detail, int atLeast)
    {
        SteadyLoad load = SteadyLoad.Start(gateway.Listener(), Doc.Get(), clients: 8, pause: TimeSpan.FromMilliseconds(2));
        await using (load)
        {
            // Intervals of latency are of ten seconds.
            await Eventually.Until("it is out", async () => Changes(await PoolAsync(gateway), bad).Count > 0, TimeSpan.FromSeconds(60));
            await Eventually.Until("nothing goes there any more", async () => !Endpoint(await PoolAsync(gateway), bad).GetProperty("used").GetBoolean());
            // What was on its way is over.
            await load.MoreAsync(100);
            long hits = bad.Hits;
            Assert.True(hits >= atLeast, $"out after {hits}");
            TimeSpan from = load.Now;
            await load.MoreAsync(300);
            Assert.Equal(hits, bad.Hits);
            Assert.All(load.Since(from), static s => Assert.Equal(200, s.Status));
        }
        JsonElement pool = await PoolAsync(gateway);
        Assert.Equal([$"healthy > ejected: {cause}"], Changes(pool, bad));
        Assert.Matches(detail, Endpoint(pool, bad).GetProperty("lastChange").GetProperty("detail").GetString());
        MetricSamples metrics = await gateway.MetricsAsync();
        Assert.Equal(1, metrics.Sum("gateway_outlier_ejections_total", "pool=\"main\"", $"reason=\"{cause}\""));
        Assert.Equal(1, metrics.Sum("gateway_outlier_ejections_total"));
        Assert.Equal(_origins.Sum(static o => o.Hits), metrics.Sum("gateway_upstream_attempts_total", "pool=\"main\""));
    }

    [Fact]
    public async Task OneOfFiveHangs_BehindHedging_NoClientNotices_AndItIsFoundAllTheSame()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document("\"health\": { \"passive\": { \"eject\": \"1m\" } }",
            route: "\"timeouts\": { \"attempt\": \"10s\" }, \"retry\": { \"attempts\": 2, \"budget\": { \"percent\": 100, \"minPerSecond\": 1000 } }, \"hedge\": {}"));
        await using SteadyLoad load = SteadyLoad.Start(gateway.Listener(), Doc.Get(), clients: 8, pause: TimeSpan.FromMilliseconds(5));
        await load.MoreAsync(500);
        _origins[3].Become(Fault.Hang);
        TimeSpan struck = load.Now;
        await Eventually.Until("it is out", async () => Changes(await PoolAsync(gateway), _origins[3]).Contains("healthy > ejected: no_answer"), TimeSpan.FromSeconds(10));
        long hits = _origins[3].Hits;
        await load.MoreAsync(500);
        Assert.Equal(hits, _origins[3].Hits);
        Assert.All(load.Samples, s => Assert.Equal(200, s.Status));
        Assert.InRange(SteadyLoad.Percentile(load.Since(struck), 99), TimeSpan.Zero, TimeSpan.FromSeconds(1));
        // Only what hung.
        JsonElement pool = await PoolAsync(gateway);
        foreach (FaultOrigin origin in _origins.Where((_, i) => i != 3)) Assert.DoesNotContain("healthy > ejected: no_answer", Changes(pool, origin));
    }

    [Fact]
    public async Task EjectedEndpoint_ComesBack_AndGoesAgainAtTheFirstFailure_UntilItIsWell()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document("\"health\": { \"passive\": { \"eject\": \"1s\" } }"));
        await using SteadyLoad load = SteadyLoad.Start(gateway.Listener(), Doc.Get(), clients: 4, pause: TimeSpan.FromMilliseconds(5));
        _origins[0].Become(Fault.Refuse);
        await Eventually.Until("it was out twice", async () => Changes(await PoolAsync(gateway), _origins[0]).Count(c => c.StartsWith("healthy > ejected", StringComparison.Ordinal)) == 2);
        JsonElement second = (await PoolAsync(gateway)).GetProperty("ledger").EnumerateArray().First(c => c.GetProperty("to").GetString() == "ejected");
        Assert.Contains("the last: not connected", second.GetProperty("detail").GetString(), StringComparison.Ordinal);
        _origins[0].Become(Fault.None);
        long before = _origins[0].Hits;
        await Eventually.Until("requests reach it again", () => _origins[0].Hits > before + 20);
        Assert.Equal("healthy", State(await PoolAsync(gateway), _origins[0]));
    }

    [Fact]
    public async Task AnEndpointThatCutsItsResponsesOff_IsLeftAlone()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document("\"health\": { \"passive\": { \"eject\": \"1m\" } }, \"loadBalancing\": \"roundRobin\""));
        // The head whole, and a byte of the body's three.
        _origins[2].Become(Fault.ResetAt("HTTP/1.1 200 Status\r\nx-origin: o2\r\nContent-Length: 3\r\n\r\n".Length + 1));
        int cut = 0;
        await Eventually.Until("it is out", async () =>
        {
            try
            {
                RawResponse response = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get());
                Assert.Equal(200, response.Status);
                if (!response.IsWhole) cut++;
            }
            catch (IOException)
            {
                // Cut off so soon that the head had not left the gateway.
                cut++;
            }
            return Changes(await PoolAsync(gateway), _origins[2]).Count == 1;
        });
        // The ejection is decided beside the requests: one more may have been on its way.
        Assert.InRange(cut, 3, 4);
        Assert.Equal(cut, _origins[2].Hits);
        JsonElement pool = await PoolAsync(gateway);
        Assert.EndsWith("the last: cut off in the body; out for 1m, 1 of the pool are out", Endpoint(pool, _origins[2]).GetProperty("lastChange").GetProperty("detail").GetString(), StringComparison.Ordinal);
        for (int i = 0; i < 20; i++) Assert.Equal(200, (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Status);
        MetricSamples metrics = await gateway.MetricsAsync();
        Assert.Equal((cut, cut), (metrics.Sum("gateway_upstream_responses_cut_total", "pool=\"main\""), metrics.Sum("gateway_errors_total", "category=\"upstream_reset\"")));
    }

    [Theory]
    [InlineData(OriginProtocol.Http1)]
    [InlineData(OriginProtocol.H2c)]
    [InlineData(OriginProtocol.Https)]
    public async Task FlappingEndpoint_IsOutMostOfTheTime(OriginProtocol protocol)
    {
        await using FaultPool pool = new(protocol, 5);
        pool.Origins[1].Become(Fault.Flapping(TimeSpan.FromMilliseconds(200), Fault.None, Fault.ResetAt(0)));
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(pool.Document(ShortAttempts, "\"health\": { \"passive\": { \"eject\": \"2s\" } }"));
        await using SteadyLoad load = SteadyLoad.Start(gateway.Listener(), Doc.Get(), clients: 4, pause: TimeSpan.FromMilliseconds(2));
        await load.UntilAsync(TimeSpan.FromSeconds(5));
        // Half of a fifth of the requests fail as long as nobody does anything about it.
        IReadOnlyList<LoadSample> samples = load.Samples;
        Assert.InRange(samples.Count(s => s.Status != 200), 1, samples.Count / 20);
        Assert.Contains("healthy > ejected: no_answer", Changes(await PoolAsync(gateway), pool.Origins[1]));
    }

    [Fact]
    public async Task Outliers_NeverExceedTheirCap_AndWhoIsSparedIsSaid()
    {
        foreach (FaultOrigin origin in _origins.Take(3)) origin.Become(Fault.Status(500));
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document("\"outlier\": { \"maxEjectedPercent\": 40, \"baseEjection\": \"1s\" }"));
        await using SteadyLoad load = SteadyLoad.Start(gateway.Listener(), Doc.Get(), clients: 4, pause: TimeSpan.FromMilliseconds(2));
        int most = 0;
        await Eventually.Until("ejections have come and gone for a while", async () =>
        {
            JsonElement pool = await PoolAsync(gateway);
            most = Math.Max(most, _origins.Count(o => State(pool, o) == "ejected"));
            return pool.GetProperty("ledger").EnumerateArray().Count(c => c.GetProperty("to").GetString() == "ejected") >= 5;
        });
        Assert.Equal(2, most);
        JsonElement end = await PoolAsync(gateway);
        Assert.Contains(end.GetProperty("ledger").EnumerateArray(), c => c.GetProperty("from").GetString() == "healthy" && c.GetProperty("to").GetString() == "healthy"
            && c.GetProperty("detail").GetString()!.EndsWith("stays in, for 2 of the pool are out and outlier.maxEjectedPercent 40 allows 2", StringComparison.Ordinal));
        Assert.All(_origins.Skip(3), o => Assert.Empty(Changes(end, o)));
    }

    [Fact]
    public async Task AnApply_KeepsLedgerEjectionAndCounts_AndAValidationTouchesNothing()
    {
        const string settings = "\"health\": { \"passive\": { \"eject\": \"5m\" } }";
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document(settings));
        _origins[2].Become(Fault.Refuse);
        await using (SteadyLoad load = SteadyLoad.Start(gateway.Listener(), Doc.Get(), clients: 2))
            await Eventually.Until("it is out", async () => !Endpoint(await PoolAsync(gateway), _origins[2]).GetProperty("used").GetBoolean());
        JsonElement before = await PoolAsync(gateway);
        Assert.Equal(200, (int)(await gateway.PostAsync("/admin/validate", Document("\"health\": { \"passive\": { \"failures\": 0 } }"))).Status);
        await gateway.ApplyAsync(Document(settings, route: ShortAttempts + ", \"bodyBytes\": 1000"));
        JsonElement after = await PoolAsync(gateway);
        Assert.Equal(before.GetProperty("ledger").GetRawText(), after.GetProperty("ledger").GetRawText());
        Assert.Equal(Endpoint(before, _origins[2]).GetRawText(), Endpoint(after, _origins[2]).GetRawText());
        for (int i = 0; i < 50; i++) Assert.Equal(200, (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Status);

        // Turned off, it lets the endpoint in again.
        await gateway.ApplyAsync(Document("\"health\": { \"passive\": { \"failures\": 0 } }"));
        await Eventually.Until("it is let in", async () => State(await PoolAsync(gateway), _origins[2]) == "healthy");
        Assert.Equal(["healthy > ejected: no_answer", "ejected > healthy: no_answer"], Changes(await PoolAsync(gateway), _origins[2]));
    }

    [Fact]
    public async Task WhenMostAreOut_ThePoolIsInPanic_AndSaysSo()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document("\"health\": { \"passive\": { \"eject\": \"1s\" } }"));
        foreach (FaultOrigin origin in _origins.Take(3)) origin.Become(Fault.Refuse);
        await using SteadyLoad load = SteadyLoad.Start(gateway.Listener(), Doc.Get(), clients: 4, pause: TimeSpan.FromMilliseconds(2));
        await Eventually.Until("panic", async () => (await PoolAsync(gateway)).GetProperty("panic").GetBoolean());
        foreach (FaultOrigin origin in _origins) origin.Become(Fault.None);
        JsonElement pool = default;
        // The ledger follows the sets of endpoints a moment later.
        await Eventually.Until("no panic, and it is noted", async () => !(pool = await PoolAsync(gateway)).GetProperty("panic").GetBoolean() && Changes(pool, null) is [.., "panic > normal: panic"]);
        Assert.Equal("normal > panic: panic", Changes(pool, null)[0]);
        Assert.Contains(pool.GetProperty("ledger").EnumerateArray(), c => c.GetProperty("detail").GetString() == "2 of 5 endpoints are well, fewer than panicThreshold 50 %: all are used");
    }

    [Fact]
    public async Task UnknownPool_Is404()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document(""));
        Assert.Equal(404, (int)(await gateway.GetAsync("/admin/pools?pool=nobody")).Status);
        Assert.Contains("there is no pool 'nobody'", (await gateway.CtlAsync("pools", "nobody")).Error, StringComparison.Ordinal);
    }
}
