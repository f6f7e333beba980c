using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Resilience;

/// <summary>Breakers and retries: what clients get, what upstreams are asked, and what the metrics say of it.</summary>
public sealed class AttemptTests : IAsyncLifetime
{
    private static readonly TimeSpan Breath = TimeSpan.FromMilliseconds(2);
    private readonly FaultOrigin[] _origins = [.. Enumerable.Range(0, 3).Select(i => FaultOrigin.Start($"o{i}"))];

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        foreach (FaultOrigin origin in _origins) await origin.DisposeAsync();
    }

    private string Document(string route, string pool = "", string more = Doc.NoAccessLog) =>
        Doc.Of(Doc.Route("all", more: route), Doc.PoolWith("main", pool, [.. _origins.Select(o => o.Address)]), more: more);

    private long Hits => _origins.Sum(o => o.Hits);

    private void All(Fault fault)
    {
        foreach (FaultOrigin origin in _origins) origin.Become(fault);
    }

    [Theory]
    [InlineData(OriginProtocol.Http1)]
    [InlineData(OriginProtocol.H2c)]
    [InlineData(OriginProtocol.Https)]
    public async Task AllEndpointsFail_TheUpstreamSeesOnlyProbes_AndIsServedAgainWithinOneOpenInterval(OriginProtocol protocol)
    {
        const int Clients = 8, Probes = 3;
        await using FaultPool pool = new(protocol, 3);
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(
            pool.Document("\"retry\": { \"attempts\": 1 }", $$"""
                "breaker": { "open": "1s", "maxOpen": "2s", "probes": {{Probes}} }
                """));
        pool.Become(Fault.Status(500));
        await using SteadyLoad load = SteadyLoad.Start(gateway.Listener(), Doc.Get(), Clients, Breath);
        await Eventually.Until("the breaker is open", async () => (await gateway.MetricsAsync()).Sum("gateway_breaker_state", "route=\"all\"", "pool=\"main\"") == 2);
        // Twenty failures open it; each client may have had one more on its way.
        Assert.InRange(pool.Hits, 20, 20 + Clients);
        await load.MoreAsync(300);
        Assert.InRange(pool.Hits, 20, 20 + Clients + Probes);
        Assert.Equal(503, load.Samples[^1].Status);

        // Three openings later the upstream has been asked for nothing but probes, and the interval has come to its longest.
        await Eventually.Until("probes failed twice", async () => (await gateway.MetricsAsync()).Sum("gateway_breaker_opened_total") >= 3);
        double opened = (await gateway.MetricsAsync()).Sum("gateway_breaker_opened_total");
        Assert.InRange(pool.Hits, 20, 20 + Clients + (opened * Probes));
        RawResponse refused = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get());
        if (refused.Status == 503)
        {
            Assert.InRange(int.Parse(refused["Retry-After"]!, System.Globalization.CultureInfo.InvariantCulture), 1, 2);
            Assert.Equal("circuit_open", JsonDocument.Parse(refused.Body).RootElement.GetProperty("category").GetString());
        }

        pool.Become(Fault.None);
        TimeSpan well = load.Now;
        await Eventually.Until("the breaker is closed", async () => (await gateway.MetricsAsync()).Sum("gateway_breaker_state") == 0);
        await load.MoreAsync(100);
        TimeSpan served = load.Samples.Where(s => s.Status == 200).Min(s => s.At);
        // The longest interval, and what a busy machine takes to run.
        Assert.InRange(served - well, TimeSpan.Zero, TimeSpan.FromSeconds(2 + 1.5));
        Assert.Equal(200, load.Samples[^1].Status);
        Assert.True((await gateway.MetricsAsync()).Sum("gateway_errors_total", "category=\"circuit_open\"") > 100);

        // Why it did what it did.
        JsonElement breaker = (await gateway.GetAsync("/admin/routes?ledger=100")).Json.GetProperty("routes")[0].GetProperty("breaker");
        Assert.Equal("closed", breaker.GetProperty("state").GetString());
        JsonElement[] ledger = [.. breaker.GetProperty("ledger").EnumerateArray().Reverse()];
        Assert.Equal(["closed > open: failures", "open > half_open: elapsed", "half_open > open: probe_failed"], ledger.Take(3).Select(Change));
        Assert.Equal(["open > half_open: elapsed", "half_open > closed: probes_succeeded"], ledger[^2..].Select(Change));
        Assert.Equal(ledger[^1].GetProperty("time").GetDateTimeOffset(), breaker.GetProperty("since").GetDateTimeOffset());
        Assert.Matches(@"^2\d of 2\d attempts in 10s failed \(breaker\.failurePercent 50 of at least 20\); open for 1s$", ledger[0].GetProperty("detail").GetString());
        Assert.Matches(@"^a probe failed after \d of 3 had succeeded; open for 2s$", ledger[2].GetProperty("detail").GetString());
        Assert.Equal(breaker.GetProperty("opened").GetInt64(), ledger.Count(static c => c.GetProperty("to").GetString() == "open"));
        Assert.Matches(@"all +closed +open +failures +2\d of 2\d attempts", (await gateway.CtlAsync("routes", "--ledger")).Out);
        JsonElement explained = (await gateway.PostAsync("/admin/explain", """{ "url": "http://gateway.test/" }""")).Json.GetProperty("state");
        Assert.Equal("closed", explained.GetProperty("breaker").GetProperty("state").GetString());
    }

    private static string Change(JsonElement change) => $"{change.GetProperty("from")} > {change.GetProperty("to")}: {change.GetProperty("cause")}";

    [Theory]
    [InlineData(OriginProtocol.Http1)]
    [InlineData(OriginProtocol.H2c)]
    [InlineData(OriginProtocol.Https)]
    public async Task ARetryStorm_StaysWithinTheBound(OriginProtocol protocol)
    {
        const double Budget = 0.2;
        const int Floor = 2;
        await using FaultPool pool = new(protocol, 3);
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(
            pool.Document($$"""
                "retry": { "attempts": 5, "on": ["connect", "reset", "refused", "5xx"], "backoff": { "base": "1ms", "max": "5ms" }, "budget": { "minPerSecond": {{Floor}} } }
                """));
        await using (SteadyLoad ordinary = SteadyLoad.Start(gateway.Listener(), Doc.Get(), clients: 2, Breath)) await ordinary.MoreAsync(200);
        long before = pool.Hits;
        pool.Become(Fault.Status(503));
        long begun = Stopwatch.GetTimestamp();
        SteadyLoad storm = SteadyLoad.Start(gateway.Listener(), Doc.Get(), clients: 20, Breath);
        await using (storm) await storm.MoreAsync(3000);
        int requests = storm.Samples.Count;
        double seconds = Stopwatch.GetElapsedTime(begun).TotalSeconds;
        long attempts = pool.Hits - before;
        // With five attempts for each it would be five times as many. What was asked before the storm counts for ten seconds.
        double bound = ((1 + Budget) * requests) + (Budget * before) + (Floor * (seconds + 10));
        Assert.InRange(attempts, requests + 1, bound);

        MetricSamples metrics = await gateway.MetricsAsync();
        Assert.Equal(attempts - requests, metrics.Sum("gateway_retries_total", "route=\"all\"", "reason=\"status\""));
        Assert.Equal(pool.Hits, metrics.Sum("gateway_upstream_attempts_total", "pool=\"main\""));
        Assert.True(metrics.Sum("gateway_retry_budget_exhausted_total", "route=\"all\"") > requests / 2.0);
        Assert.InRange(metrics.Sum("gateway_extra_attempts", "state=\"made\""), 1, metrics.Sum("gateway_extra_attempts", "state=\"allowed\""));
        Assert.All(storm.Samples, static s => Assert.Equal(503, s.Status));
        Assert.Equal(requests, metrics.Sum("gateway_requests_total", "route=\"all\"", "status_class=\"5xx\""));
        JsonElement budget = (await gateway.GetAsync("/admin/routes")).Json.GetProperty("routes")[0].GetProperty("retryBudget");
        Assert.True(budget.GetProperty("used").GetInt64() > 0 && budget.GetProperty("refused").GetInt64() > requests / 2, budget.GetRawText());
    }

    [Theory]
    [InlineData(OriginProtocol.Http1)]
    [InlineData(OriginProtocol.H2c)]
    [InlineData(OriginProtocol.Https)]
    public async Task ARollingRestartOfAllEndpoints_FailsNoIdempotentRequest(OriginProtocol protocol)
    {
        await using FaultPool pool = new(protocol, 3);
        // Two attempts, as a route has them that says nothing: one of the endpoints is away at a time.
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(pool.Document("\"bodyBytes\": 0", "\"health\": { \"passive\": { \"eject\": \"1s\" } }"));
        SteadyLoad load = SteadyLoad.Start(gateway.Listener(), Doc.Get(), clients: 8, Breath);
        await using (load)
        {
            await load.MoreAsync(300);
            foreach (FaultOrigin origin in pool.Origins)
            {
                // What is in flight is reset, and nobody listens for a while.
                origin.Become(Fault.Refuse);
                await load.MoreAsync(400);
                origin.Become(Fault.None);
                long back = origin.Hits;
                await Eventually.Until("it takes requests again", () => origin.Hits > back + 5);
            }
        }
        Assert.All(load.Samples, s => Assert.Equal(200, s.Status));
        MetricSamples metrics = await gateway.MetricsAsync();
        double retries = metrics.Sum("gateway_retries_total", "route=\"all\""), attempts = metrics.Sum("gateway_upstream_attempts_total", "pool=\"main\"");
        Assert.Equal(load.Samples.Count, metrics.Sum("gateway_requests_total", "route=\"all\"", "status_class=\"2xx\""));
        Assert.Equal(0, metrics.Sum("gateway_errors_total"));
        // Each endpoint that went cost at least one of them a second attempt; none was asked for more than the first and that.
        Assert.InRange(retries, 3, load.Samples.Count * 0.2);
        Assert.InRange(attempts, load.Samples.Count, load.Samples.Count + retries);
        Assert.InRange(pool.Hits, load.Samples.Count, load.Samples.Count + retries);
        Assert.InRange(metrics.Sum("gateway_outlier_ejections_total", "pool=\"main\"", "reason=\"no_answer\""), 0, retries);
    }

    [Theory]
    [InlineData(OriginProtocol.Http1)]
    [InlineData(OriginProtocol.H2c)]
    [InlineData(OriginProtocol.Https)]
    public async Task Hedging_CutsTheTailOfASlowEndpoint_WithinTheBound(OriginProtocol protocol)
    {
        await using FaultPool pool = new(protocol, 3);
        pool.Origins[1].Become(Fault.SlowHeaders(TimeSpan.FromMilliseconds(500)));
        // By turns: the slow one is asked as often as the others.
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(
            pool.Document("\"hedge\": { \"after\": \"30ms\" }, \"retry\": { \"budget\": { \"percent\": 50 } }", "\"loadBalancing\": \"roundRobin\", \"health\": { \"passive\": { \"failures\": 1000 } }"));
        SteadyLoad load = SteadyLoad.Start(gateway.Listener(), Doc.Get(), clients: 4, Breath);
        await using (load) await load.MoreAsync(600);
        Assert.All(load.Samples, s => Assert.Equal(200, s.Status));
        Assert.InRange(SteadyLoad.Percentile(load.Samples, 99), TimeSpan.Zero, TimeSpan.FromMilliseconds(350));

        await Eventually.Until("the losers are on their way out", async () => (await gateway.MetricsAsync()).Sum("gateway_requests_in_flight") == 0);
        MetricSamples metrics = await gateway.MetricsAsync();
        double won = metrics.Sum("gateway_hedges_total", "route=\"all\"", "result=\"won\""), lost = metrics.Sum("gateway_hedges_total", "result=\"lost\"");
        Assert.InRange(won, 150, load.Samples.Count / 2.0);
        // A loser may have been cancelled before it was read.
        Assert.InRange(pool.Hits, load.Samples.Count + won, load.Samples.Count + won + lost + metrics.Sum("gateway_retries_total"));
        Assert.InRange(won + lost, won, (load.Samples.Count * 0.5) + (3 * (load.Now.TotalSeconds + 10)));
    }

    [Theory]
    [InlineData(OriginProtocol.Http1)]
    [InlineData(OriginProtocol.H2c)]
    [InlineData(OriginProtocol.Https)]
    public async Task APost_IsNeverSentTwice_UnlessItCertainlyWasNotProcessed(OriginProtocol protocol)
    {
        await using FaultPool pool = new(protocol, 3);
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(pool.Document("\"retry\": { \"attempts\": 3 }", "\"health\": { \"passive\": { \"failures\": 1000 } }"));
        pool.Become(Fault.ResetAt(0));
        for (int i = 1; i <= 20; i++)
        {
            Assert.Equal(502, (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Post("/", "once"))).Status);
            Assert.Equal(i, pool.Hits);
        }
        pool.Origins[0].Become(Fault.Refuse);
        pool.Origins[1].Become(Fault.Refuse);
        pool.Origins[2].Become(Fault.None);
        for (int i = 1; i <= 20; i++) Assert.Equal(200, (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Post("/", "once"))).Status);
        Assert.Equal(20 + 20, pool.Hits);
    }

    [Fact]
    public async Task ABreakerWhoseProbesAreAllCancelled_ServesAgainWhenTheUpstreamDoes()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document("\"retry\": { \"attempts\": 1 }", "\"breaker\": { \"open\": \"200ms\", \"maxOpen\": \"200ms\", \"probes\": 2 }"));
        All(Fault.Status(500));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        for (int i = 0; i < 20; i++) Assert.Equal(500, (await client.RequestAsync(Doc.Get())).Status);
        Assert.Equal(503, (await client.RequestAsync(Doc.Get())).Status);

        All(Fault.Hang);
        for (int i = 0; i < 10; i++)
        {
            long hits = Hits;
            await Eventually.Until("a probe hangs, and its client leaves", async () =>
            {
                await using RawHttpClient probe = await RawHttpClient.ConnectAsync(gateway.Listener());
                await probe.SendAsync(Doc.Get());
                Task answered = probe.ReadResponseAsync();
                await Eventually.Until("it was let through, or refused", () => Hits > hits || answered.IsCompleted);
                return Hits > hits;
            });
        }
        All(Fault.None);
        await Eventually.Until("the breaker is closed", async () =>
            (await client.RequestAsync(Doc.Get())).Status == 200 && (await gateway.MetricsAsync()).Sum("gateway_breaker_state") == 0);
    }

    [Fact]
    public async Task AnApplyThatDoesNotChangeIt_LeavesABreakerOpen()
    {
        string Doc_(string open, string body) => Doc.Of(
            $$"""{{Doc.Route("all", more: "\"retry\": { \"attempts\": 1 }")}}, { "name": "other", "match": { {{Doc.Exact("/other")}} }, "respond": { "body": "{{body}}" } }""",
            Doc.PoolWith("main", $$"""
                "breaker": { "open": "{{open}}", "maxOpen": "10m" }
                """, _origins[0].Address));
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc_("5m", "one"));
        _origins[0].Become(Fault.Status(500));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        for (int i = 0; i < 20; i++) Assert.Equal(500, (await client.RequestAsync(Doc.Get())).Status);
        _origins[0].Become(Fault.None);
        await gateway.ApplyAsync(Doc_("5m", "two"));
        Assert.Equal("two", (await client.RequestAsync(Doc.Get("/other"))).Text);
        Assert.Equal(503, (await client.RequestAsync(Doc.Get())).Status);
        await gateway.ApplyAsync(Doc_("4m", "two"));
        Assert.Equal(200, (await client.RequestAsync(Doc.Get())).Status);

        await Eventually.Until("the log has the refusal", () => gateway.AccessLog.Any(l => l.GetProperty("status").GetInt32() == 503));
        JsonElement line = gateway.AccessLog.First(l => l.GetProperty("status").GetInt32() == 503);
        Assert.Equal(("open", "circuit_open", 0), (line.GetProperty("breaker").GetString(), line.GetProperty("category").GetString(), line.GetProperty("attempts").GetInt32()));
    }

    [Fact]
    public async Task ABudgetByAddress_IsEachAddresssOwn()
    {
        All(Fault.Status(503));
        // Ten in ten seconds, for each.
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document(
            "\"retry\": { \"on\": [\"5xx\"], \"backoff\": { \"base\": \"0s\" }, \"budget\": { \"minPerSecond\": 1000 }, \"perClient\": { \"key\": \"ip\", \"percent\": 0, \"minPerSecond\": 1 } }",
            "\"health\": { \"passive\": { \"failures\": 0 } }"));
        foreach (string address in (string[])["127.0.0.1", "127.0.0.2"])
        {
            using HttpMessageInvoker client = From(address);
            long before = Hits;
            for (int i = 0; i < 15; i++)
            {
                using HttpRequestMessage request = H2Client.Request("1.1", HttpMethod.Get, gateway.Listener().ToString());
                using HttpResponseMessage response = await client.SendAsync(request, CancellationToken.None);
                Assert.Equal(503, (int)response.StatusCode);
            }
            Assert.Equal(15 + 10, Hits - before);
        }
        MetricSamples metrics = await gateway.MetricsAsync();
        Assert.Equal((20, 10), (metrics.Sum("gateway_retries_total", "reason=\"status\""), metrics.Sum("gateway_retry_budget_exhausted_total", "route=\"all\"")));
    }

    private static HttpMessageInvoker From(string address)
    {
        SocketsHttpHandler handler = H2Client.Handler();
        handler.ConnectCallback = async (context, stop) =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.Parse(address), 0));
            await socket.ConnectAsync(context.DnsEndPoint, stop);
            return new NetworkStream(socket, ownsSocket: true);
        };
        return new HttpMessageInvoker(handler);
    }

    [Fact]
    public async Task AGrpcCallWhoseTimeIsOver_EndsWithDeadlineExceeded()
    {
        await using FaultPool pool = new(OriginProtocol.H2c, 1);
        pool.Become(Fault.Hang);
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(pool.Document("\"retry\": { \"attempts\": 1 }"));
        using HttpMessageInvoker client = GrpcCall.Client();
        await using GrpcCall call = GrpcCall.Start(client, gateway.Listener(), "/shop.Shop/Get", headers: ("grpc-timeout", "200m"));
        await call.WriteAsync("one");
        call.CompleteRequests();
        Assert.Equal(4, (await call.EndAsync()).Status);
        Assert.Equal(1, pool.Hits);
        Assert.Equal(1, (await gateway.MetricsAsync()).Sum("gateway_errors_total", "category=\"request_timeout\""));
    }

    [Fact]
    public async Task EachTimeout_HasItsCategory()
    {
        _origins[0].Become(Fault.Hang);
        string route = "\"retry\": { \"attempts\": 1 }, \"timeouts\": ";
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(
            string.Join(", ",
                Doc.Route("attempt", Doc.Exact("/attempt"), "main", route + "{ \"attempt\": \"100ms\" }"),
                Doc.Route("request", Doc.Exact("/request"), "main", route + "{ \"request\": \"100ms\" }"),
                Doc.Route("idle", Doc.Exact("/idle"), "slow", route + "{ \"idle\": \"100ms\" }"),
                // TEST-NET-1 (RFC 5737): nobody answers there.
                Doc.Route("connect", Doc.Exact("/connect"), "away", route + "{ \"attempt\": \"5s\" }"),
                Doc.Route("client", Doc.Exact("/client"), "main", route + "{ \"deadlineHeader\": \"x-timeout\" }")),
            string.Join(", ",
                Doc.Pool("main", _origins[0].Address), Doc.Pool("slow", _origins[1].Address),
                Doc.PoolWith("away", "\"connections\": { \"connectTimeout\": \"100ms\" }", "192.0.2.1:80"))));
        async Task<(int, string?)> AskAsync(string path, string headers = "")
        {
            RawResponse response = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get(path, headers: headers));
            return (response.Status, JsonDocument.Parse(response.Body).RootElement.GetProperty("category").GetString());
        }
        Assert.Equal((504, "upstream_timeout"), await AskAsync("/attempt"));
        Assert.Equal((504, "request_timeout"), await AskAsync("/request"));
        Assert.Equal((504, "request_timeout"), await AskAsync("/client", "X-Timeout: 100\r\n"));
        Assert.Equal((502, "upstream_connect_failed"), await AskAsync("/connect"));

        _origins[1].Become(Fault.SlowBody(TimeSpan.FromSeconds(2)));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        await client.SendAsync(Doc.Get("/idle"));
        RawResponse? cut = null;
        try
        {
            cut = await client.ReadResponseAsync();
        }
        catch (IOException)
        {
            // The head had not gone out yet.
        }
        Assert.True(cut is null or { IsWhole: false } or { Status: 504 });
        await Eventually.Until("it is in the log", () => gateway.AccessLog.Any(l => l.GetProperty("route").GetString() == "idle" && l.GetProperty("category").GetString() == "upstream_timeout"));
    }
}
