using System.Text.Json;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.DataPlane;

/// <summary>The access log and the metrics say what was sent, no more and no less.</summary>
public sealed class ObservabilityTests
{
    // What does not apply to a request is left out of its line.
    private static string? Text(JsonElement line, string field) => line.TryGetProperty(field, out JsonElement value) ? value.GetString() : null;

    [Fact]
    public async Task AccessLog_HasOneLinePerRequestWithWhatHappened()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(
            $"{Doc.Route("shop", Doc.Prefix("/shop"))}, {Doc.Route("dead", Doc.Prefix("/dead"), "dead")}",
            $"{Doc.Pool("main", origin.Address)}, {Doc.Pool("dead", RawOrigin.RefusedAddress())}"));
        string version = (await gateway.GetAsync("/admin/snapshot")).Json.GetProperty("version").GetString()!;
        _ = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Post("/shop/a?secret=1", "12345", headers: "Authorization: Bearer credential-1\r\nCookie: session=credential-2\r\nX-Request-Id: my-id-1\r\n"));
        _ = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/dead"));
        _ = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/nowhere"));
        _ = await RawHttpClient.OnceAsync(gateway.Listener(), "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
        await Eventually.Until("the lines of the routed requests are written", () => gateway.AccessLog.Count >= 3);
        JsonElement shop = gateway.AccessLog.Single(l => Text(l, "route") == "shop");
        Assert.Equal(("POST", 200, "main", origin.Address, version, "my-id-1", "web"), (
            shop.GetProperty("method").GetString(), shop.GetProperty("status").GetInt32(), shop.GetProperty("pool").GetString(),
            shop.GetProperty("endpoint").GetString(), shop.GetProperty("snapshot").GetString(), shop.GetProperty("requestId").GetString(), shop.GetProperty("listener").GetString()));
        JsonElement dead = gateway.AccessLog.Single(l => Text(l, "route") == "dead");
        Assert.Equal((502, "upstream_connect_failed"), (dead.GetProperty("status").GetInt32(), dead.GetProperty("category").GetString()));
        Assert.Contains(gateway.AccessLog, l => l.GetProperty("status").GetInt32() == 404 && Text(l, "category") == "no_route");
        Assert.DoesNotContain("credential", string.Concat(gateway.Out));
    }

    [Fact]
    public async Task AccessLog_NamesTheClient_AlsoBehindTrustedProxies()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        foreach ((string trusted, string client) in (IEnumerable<(string, string)>)[("127.0.0.1/32", "192.0.2.7"), ("192.0.2.0/24", "127.0.0.1")])
        {
            await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Doc.Route("all"), Doc.Pool("main", origin.Address),
                $$"""{ "name": "web", "address": "127.0.0.1:0", "trustedProxies": ["{{trusted}}"] }"""));
            _ = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get(headers: "X-Forwarded-For: 198.51.100.1, 192.0.2.7\r\n"));
            await Eventually.Until("its line is written", () => gateway.AccessLog.Count == 1);
            Assert.Equal(client, Text(gateway.AccessLog[0], "clientIp"));
        }
    }

    [Fact]
    public async Task AccessLog_CannotBeForged()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        foreach (string format in (string[])["json", "common", "combined"])
        {
            using var folder = new TempFolder();
            await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Doc.Route("all"), Doc.Pool("main", origin.Address),
                more: $$"""
                    "accessLog": { "output": "{{folder["access.log"]}}", "format": "{{format}}" }
                    """));
            _ = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/\"\\{}\"x", headers: "User-Agent: a\" \"b\\\u00ff\r\nReferer: \"x\t\"\r\n"));
            _ = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/second"));
            await Eventually.Until("two lines are in the file", () => File.Exists(folder["access.log"]) && File.ReadAllLines(folder["access.log"]).Length >= 2);
            string[] lines = File.ReadAllLines(folder["access.log"]);
            Assert.Equal(2, lines.Length);
            if (format == "json") Assert.All(lines, l => JsonDocument.Parse(l));
            // Quotes inside a quoted field are escaped.
            else Assert.Equal(format == "common" ? 2 : 6, lines[0].Replace("\\\"", "", StringComparison.Ordinal).Count(c => c == '"'));
        }
    }

    [Fact]
    public async Task AccessLogFile_IsReopenedAfterRotation()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        using var folder = new TempFolder();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Doc.Route("all"), Doc.Pool("main", origin.Address),
            more: $$"""
                "accessLog": { "output": "{{folder["access.log"]}}" }
                """));
        _ = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/before"));
        await Eventually.Until("the first line", () => File.Exists(folder["access.log"]) && File.ReadAllText(folder["access.log"]).Contains("/before"));
        File.Move(folder["access.log"], folder["access.log.1"]);
        await Eventually.Until("a line in the new file", async () =>
        {
            _ = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/after"));
            return File.Exists(folder["access.log"]) && File.ReadAllText(folder["access.log"]).Contains("/after");
        });
    }

    [Fact]
    public async Task SamplingOffAndRedaction_AreObeyed()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Doc.Route("all"), Doc.Pool("main", origin.Address),
            more: """
                "accessLog": { "sample": { "2xx": 0, "404": 1 }, "redactQuery": true }
                """));
        for (int i = 0; i < 10; i++) _ = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/ok"));
        _ = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/status/404?token=not-hex"));
        await Eventually.Until("the 404's line", () => gateway.AccessLog.Count >= 1);
        JsonElement line = Assert.Single(gateway.AccessLog);
        Assert.Equal(404, line.GetProperty("status").GetInt32());
        Assert.DoesNotContain("not-hex", line.ToString());
    }

    [Fact]
    public async Task Metrics_CountWhatWasSent()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(
            $"{Doc.Route("shop", Doc.Prefix("/shop"))}, {Doc.Route("dead", Doc.Prefix("/dead"), "dead")}, {Doc.Route("st", Doc.Prefix("/status"))}, {Doc.Route("half", Doc.Prefix("/half"))}",
            $"{Doc.Pool("main", origin.Address)}, {Doc.Pool("dead", RawOrigin.RefusedAddress())}"));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        for (int i = 0; i < 7; i++) Assert.Equal(200, (await client.RequestAsync(Doc.Get("/shop/x"))).Status);
        for (int i = 0; i < 3; i++) Assert.Equal(502, (await client.RequestAsync(Doc.Get("/dead"))).Status);
        Assert.Equal(503, (await client.RequestAsync(Doc.Get("/status/503"))).Status);
        Assert.Equal(404, (await client.RequestAsync(Doc.Get("/none"))).Status);
        await client.SendAsync(Doc.Get("/half?gate=m"));
        _ = await client.ReadHeadAsync();
        await Eventually.Until("the counters have arrived", async () => (await gateway.MetricsAsync()).Sum("gateway_requests_total", "route=\"st\"", "status_class=\"5xx\"") == 1);
        MetricSamples metrics = await gateway.MetricsAsync();
        Assert.Equal(7, metrics.Sum("gateway_requests_total", "route=\"shop\"", "status_class=\"2xx\""));
        Assert.Equal(3, metrics.Sum("gateway_requests_total", "route=\"dead\"", "status_class=\"5xx\""));
        Assert.Equal(3, metrics.Sum("gateway_errors_total", "route=\"dead\"", "category=\"upstream_connect_failed\""));
        Assert.Equal(1, metrics.Sum("gateway_errors_total", "category=\"no_route\""));
        Assert.Equal(0, metrics.Sum("gateway_errors_total", "route=\"st\""));
        Assert.Equal(7, metrics.Sum("gateway_request_duration_seconds_count", "route=\"shop\""));
        Assert.Equal(9, metrics.Sum("gateway_upstream_attempts_total", "pool=\"main\""));
        // Two attempts each, as a route makes them that says nothing of it.
        Assert.Equal(6, metrics.Sum("gateway_upstream_attempts_total", "pool=\"dead\""));
        Assert.Equal(3, metrics.Sum("gateway_retries_total", "route=\"dead\"", "reason=\"connect\""));
        Assert.Equal((1, 1), (metrics.Sum("gateway_requests_in_flight"), metrics.Sum("gateway_connections", "listener=\"web\"")));
        Assert.Equal(1, metrics.Sum("gateway_config_info"));
        Assert.Equal(1, metrics.Sum("gateway_build_info"));
        origin.Gate("m").Open();
        await Eventually.Until("nothing is in flight", async () => (await gateway.MetricsAsync()).Sum("gateway_requests_in_flight") == 0);
        await client.DisposeAsync();
        await Eventually.Until("the connection is gone from the gauge", async () => (await gateway.MetricsAsync()).Sum("gateway_connections", "listener=\"web\"") == 0);
    }

    [Fact]
    public async Task Promtool_AcceptsTheMetrics()
    {
        string promtool = Tool.Require("promtool");
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of($"{Doc.Route("a b", Doc.Prefix("/a"))}, {Doc.Route("all")}", Doc.Pool("main", origin.Address)));
        for (int i = 0; i < 5; i++) _ = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get(i % 2 == 0 ? "/a" : "/status/500"));
        CommandResult result = await Command.RunAsync(promtool, ["check", "metrics"], input: (await gateway.MetricsAsync()).Text);
        Assert.True(result.ExitCode == 0 && result.Both.Trim().Length == 0, result.Both);
    }

    [Fact]
    public async Task OpenMetrics_IsServedOnRequest()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy());
        using var request = new HttpRequestMessage(HttpMethod.Get, "/metrics");
        request.Headers.Add("Accept", "application/openmetrics-text; version=1.0.0");
        using HttpResponseMessage response = await gateway.Admin.SendAsync(request);
        Assert.Equal("application/openmetrics-text", response.Content.Headers.ContentType?.MediaType);
        Assert.EndsWith("# EOF\n", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task MetricsListener_ServesMetricsAlone()
    {
        using var probe = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        probe.Start();
        int port = ((System.Net.IPEndPoint)probe.LocalEndpoint).Port;
        probe.Stop();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of("", "", more: $$"""
            "metrics": { "listener": "127.0.0.1:{{port}}" }
            """));
        var address = new Uri($"http://127.0.0.1:{port}");
        Assert.Contains("gateway_build_info", (await RawHttpClient.OnceAsync(address, Doc.Get("/metrics"))).Text);
        Assert.Equal(404, (await RawHttpClient.OnceAsync(address, Doc.Get("/admin/config"))).Status);
    }

    [Fact]
    public async Task SeriesAreBounded_WhateverTheNumberOfRoutes()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(
            string.Join(",\n", Enumerable.Range(0, 1500).Select(i => $$"""{ "name": "r{{i}}", "match": { "path": { "exact": "/r{{i}}" } }, "respond": {} }""")), "",
            more: "\"metrics\": { \"maxSeries\": 1000 }, " + Doc.NoAccessLog));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        for (int i = 0; i < 1500; i++) Assert.Equal(200, (await client.RequestAsync(Doc.Get($"/r{i}"))).Status);
        MetricSamples metrics = await gateway.MetricsAsync();
        Assert.InRange(metrics.Samples.Count, 50, 1000);
        Assert.True(metrics.Sum("gateway_requests_total", "route=\"other\"") > 0);
        Assert.Equal(1500, metrics.Sum("gateway_requests_total"));
    }
}
