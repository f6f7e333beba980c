using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Discovery;

/// <summary>Endpoints that are found by DNS, with the built gateway and a name server of the test's own.</summary>
public sealed class DiscoveryTests : IAsyncLifetime
{
    private readonly DnsServer _dns = DnsServer.Start();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _dns.DisposeAsync();

    private string Document(string dns, string more = "") => Doc.Of(Doc.Route("all"),
        $$"""
        "main": { "endpoints": [], "loadBalancing": "roundRobin", "discovery": { "dns": "{{dns}}", "resolver": "{{_dns.Address}}" {{more}} } }
        """, more: Doc.NoAccessLog);

    private static async Task<string[]> EndpointsAsync(GatewayProcess gateway) =>
        [.. (await gateway.GetAsync("/admin/pools")).Json.GetProperty("pools")[0].GetProperty("endpoints").EnumerateArray().Select(static e => e.GetProperty("address").GetString()!)];

    [Fact]
    public async Task AnswersAreThereBeforeTheFirstRequest_AndFollowedWithoutAnApply()
    {
        _dns.SetAddresses("shop.test", 1, "127.0.0.1", "::1");
        await using FaultOrigin origin = FaultOrigin.Start();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document($"shop.test:{origin.Port}"));
        Assert.Equal([$"127.0.0.1:{origin.Port}", $"[::1]:{origin.Port}"], await EndpointsAsync(gateway));
        _dns.SetAddresses("shop.test", 1, "127.0.0.1");
        await Eventually.Until("the second address is gone", async () => (await EndpointsAsync(gateway)).Length == 1);
        Assert.Equal(200, (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Status);
        Assert.Equal(1, (await gateway.GetAsync("/admin/history?limit=10")).Json.GetProperty("entries").GetArrayLength());
    }

    [Fact]
    public async Task DnsChange_LeavesNoGap_AndTheOldEndpointDrains()
    {
        await using FaultOrigin a = FaultOrigin.Start("a");
        await using FaultOrigin b = FaultOrigin.Start("b");
        void Point(FaultOrigin to) => _dns.SetServices("_http._tcp.shop.test", 1, (0, 1, to.Port, "host.test"));
        _dns.SetAddresses("host.test", 1, "127.0.0.1");
        Point(a);
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document("_http._tcp.shop.test"));
        using var stop = new CancellationTokenSource();
        var failures = new ConcurrentQueue<string>();
        int answered = 0;
        Task[] clients = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
            while (!stop.IsCancellationRequested)
            {
                RawResponse response = await client.RequestAsync(Doc.Get());
                if (response.Status != 200) failures.Enqueue(response.ToString());
                Interlocked.Increment(ref answered);
            }
        }))];
        for (int change = 0; change < 2; change++)
        {
            (FaultOrigin to, FaultOrigin from) = change % 2 == 0 ? (b, a) : (a, b);
            long before = to.Hits;
            Point(to);
            await Eventually.Until("requests go to the new endpoint", () => to.Hits > before + 50);
            // In flight ones end, then what was open is closed.
            await Eventually.Until("the connections to the old one are closed", () => from.Open == 0);
        }
        await stop.CancelAsync();
        await Task.WhenAll(clients);
        Assert.Empty(failures);
        Assert.InRange(answered, 500, int.MaxValue);
        MetricSamples metrics = await gateway.MetricsAsync();
        Assert.Equal((answered, 0), (metrics.Sum("gateway_requests_total", "route=\"all\"", "status_class=\"2xx\""), metrics.Sum("gateway_errors_total")));
        double attempts = metrics.Sum("gateway_upstream_attempts_total", "pool=\"main\"");
        Assert.InRange(a.Hits + b.Hits, attempts, attempts + metrics.Sum("gateway_retries_total", "reason=\"stale\""));
        Assert.InRange(metrics.Sum("gateway_discovery_resolutions_total", "result=\"ok\""), 3, double.PositiveInfinity);
        Assert.Equal(0, metrics.Sum("gateway_discovery_resolutions_total", "result=\"failed\""));
        // Who joined and who left, with the reason.
        JsonElement ledger = (await gateway.GetAsync("/admin/pools?pool=main&ledger=100")).Json.GetProperty("pools")[0].GetProperty("ledger");
        Assert.Equal(
            [$"{a.Address} healthy > absent: discovery", $"{b.Address} absent > healthy: discovery", $"{b.Address} healthy > absent: discovery", $"{a.Address} absent > healthy: discovery"],
            ledger.EnumerateArray().Reverse().Select(static e => $"{e.GetProperty("endpoint")} {e.GetProperty("from")} > {e.GetProperty("to")}: {e.GetProperty("cause")}"));
    }

    [Fact]
    public async Task WhenTheNameServerFails_TheLastAnswerStays()
    {
        await using FaultOrigin origin = FaultOrigin.Start();
        _dns.SetAddresses("shop.test", 1, "127.0.0.1");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document($"shop.test:{origin.Port}"));
        foreach (Action trouble in new Action[] { () => _dns.Trouble = 2, () => _dns.Trouble = 3, () => { _dns.Trouble = 0; _dns.SetAddresses("shop.test", 1); } })
        {
            trouble();
            double failed = (await gateway.MetricsAsync()).Sum("gateway_discovery_resolutions_total", "result", "failed");
            await Eventually.Until("it was asked again", async () => (await gateway.MetricsAsync()).Sum("gateway_discovery_resolutions_total", "result", "failed") > failed);
            Assert.Equal(200, (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Status);
        }
        Assert.Contains(gateway.Error, static line => line.Contains("shop.test cannot be resolved", StringComparison.Ordinal));
        _dns.SetAddresses("shop.test", 60, "127.0.0.1");
        await Eventually.Until("it has recovered", () => gateway.Error.Any(static line => line.Contains("can be resolved again", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task ANameServerThatIsSilentAtStart_KeepsNoGatewayFromStarting()
    {
        await using FaultOrigin origin = FaultOrigin.Start();
        _dns.Trouble = -1;
        _dns.SetAddresses("shop.test", 60, "127.0.0.1");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document($"shop.test:{origin.Port}"));
        Problem.Is(await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get()), 503, "no_endpoint");
        _dns.Trouble = 0;
        await Eventually.Until("the endpoint is found", async () => (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Status == 200);
    }

    [Fact]
    public async Task ServicesHaveWeightsAndPriorities_AndAliasesAndLongAnswersAreFollowed()
    {
        await using FaultOrigin heavy = FaultOrigin.Start("heavy");
        await using FaultOrigin light = FaultOrigin.Start("light");
        await using FaultOrigin spare = FaultOrigin.Start("spare");
        _dns.Truncate = true;
        _dns.SetAddresses("host.test", 60, "127.0.0.1");
        _dns.SetAlias("alias.test", 60, "host.test");
        _dns.SetServices("_http._tcp.shop.test", 60, (20, 1, spare.Port, "host.test"), (10, 3, heavy.Port, "alias.test"), (10, 1, light.Port, "host.test"));
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document("_http._tcp.shop.test"));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        for (int i = 0; i < 40; i++) Assert.Equal(200, (await client.RequestAsync(Doc.Get())).Status);
        Assert.Equal((30L, 10L, 0L), (heavy.Hits, light.Hits, spare.Hits));
        Assert.InRange(_dns.OverStreams, 1, 100);
    }

    [Fact]
    public async Task ATargetWithoutAnAddress_CostsTheOthersNothing_AndOneThatNobodyAnswersFor_KeepsItsLast()
    {
        _dns.SetAddresses("good.test", 1, "127.0.0.1");
        _dns.SetAddresses("fickle.test", 1, "127.0.0.2");
        _dns.SetServices("_http._tcp.shop.test", 1, (0, 1, 80, "gone.test"), (0, 1, 81, "good.test"), (0, 1, 82, "fickle.test"));
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document("_http._tcp.shop.test"));
        Assert.Equal(["127.0.0.1:81", "127.0.0.2:82"], await EndpointsAsync(gateway));
        await Eventually.Until("it is said", () => gateway.Error.Any(static line => line.Contains("gone.test", StringComparison.Ordinal) && line.Contains("left out", StringComparison.Ordinal)));
        _dns.SetTrouble("fickle.test", 2);
        _dns.SetAddresses("good.test", 1, "127.0.0.3");
        await Eventually.Until("what can be found is followed", async () => (await EndpointsAsync(gateway)).SequenceEqual(["127.0.0.2:82", "127.0.0.3:81"]));
        // All of them gone: that is no answer, and the last one holds.
        _dns.SetTrouble("fickle.test", 3);
        _dns.SetTrouble("good.test", 3);
        double failed = (await gateway.MetricsAsync()).Sum("gateway_discovery_resolutions_total", "result", "failed");
        await Eventually.Until("it was asked again", async () => (await gateway.MetricsAsync()).Sum("gateway_discovery_resolutions_total", "result", "failed") > failed);
        Assert.Equal(["127.0.0.2:82", "127.0.0.3:81"], await EndpointsAsync(gateway));
    }

    [Fact]
    public async Task LocalNames_AreTheSystemsToResolve()
    {
        await using FaultOrigin origin = FaultOrigin.Start();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Doc.Route("all"),
            $$"""
            "main": { "endpoints": [], "loadBalancing": "first", "discovery": { "dns": "localhost:{{origin.Port}}" } }
            """));
        Assert.Contains($"127.0.0.1:{origin.Port}", await EndpointsAsync(gateway));
    }

    [Fact]
    public async Task AnApplyThatKeepsTheDiscovery_KeepsWhatItFound_AndOneThatDropsItStopsIt()
    {
        await using FaultOrigin origin = FaultOrigin.Start();
        _dns.SetAddresses("shop.test", 1, "127.0.0.1");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document($"shop.test:{origin.Port}"));
        _dns.Trouble = -1;
        await gateway.ApplyAsync(Document($"shop.test:{origin.Port}").Replace("roundRobin", "random", StringComparison.Ordinal));
        Assert.Equal(200, (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Status);
        _dns.Trouble = 0;
        await gateway.ApplyAsync(Doc.Proxy(origin.Address));
        int asked = 0;
        long since = Stopwatch.GetTimestamp();
        await Eventually.Until("nobody has asked for longer than the answer holds", () =>
        {
            if (_dns.Questions != asked) since = Stopwatch.GetTimestamp();
            asked = _dns.Questions;
            return Stopwatch.GetElapsedTime(since) > TimeSpan.FromSeconds(1.5);
        });
    }
}
