using System.Text.Json;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Xunit;

namespace Gateway.Functional.Tests.Resilience;

/// <summary>Active health checks of the built executable.</summary>
public sealed class ProbeTests : IAsyncLifetime
{
    private const string Quick = "\"interval\": \"200ms\", \"timeout\": \"150ms\"";
    private readonly FaultOrigin[] _origins = [FaultOrigin.Start("o0"), FaultOrigin.Start("o1"), FaultOrigin.Start("o2")];

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        foreach (FaultOrigin origin in _origins) await origin.DisposeAsync();
    }

    private static string Active(string more) => $$"""
        "health": { "active": { {{more}} }, "passive": { "failures": 0 } }
        """;

    private string Document(string active, int origins, int routes = 1) => Doc.Of(
        string.Join(", ", Enumerable.Range(0, routes).Select(i => Doc.Route($"r{i}", Doc.Prefix($"/r{i}")))),
        Doc.PoolWith("main", Active(active), [.. _origins.Take(origins).Select(o => o.Address)]), more: Doc.NoAccessLog);

    private static async Task<JsonElement> PoolAsync(GatewayProcess gateway) =>
        Assert.Single((await gateway.GetAsync("/admin/pools?ledger=200")).Json.GetProperty("pools").EnumerateArray());

    private static JsonElement Endpoint(JsonElement pool, FaultOrigin origin) =>
        pool.GetProperty("endpoints").EnumerateArray().Single(e => e.GetProperty("address").GetString() == origin.Address);

    private static Task Until(GatewayProcess gateway, FaultOrigin origin, string state) => Eventually.Until($"{origin.Id} is {state}", async () =>
    {
        JsonElement endpoint = Endpoint(await PoolAsync(gateway), origin);
        return endpoint.GetProperty("state").GetString() == state && endpoint.GetProperty("used").GetBoolean() == (state == "healthy");
    });

    [Fact]
    public async Task UnhealthyEndpoint_GetsNothing_TheLedgerNamesTheProbe_AndItComesBack()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document($"\"path\": \"/healthz\", {Quick}", 3));
        await Until(gateway, _origins[1], "healthy");
        _origins[1].BecomeAt("/healthz", Fault.Status(503));
        await Until(gateway, _origins[1], "unhealthy");
        long hits = _origins[1].HitsAt("/r0");
        for (int i = 0; i < 60; i++) Assert.Equal(200, (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/r0"))).Status);
        Assert.Equal(hits, _origins[1].HitsAt("/r0"));
        JsonElement change = Endpoint(await PoolAsync(gateway), _origins[1]).GetProperty("lastChange");
        Assert.Equal("GET /healthz: 503, expected 200-399; 3 in a row (health.active.unhealthyAfter 3, the first decides alone)", change.GetProperty("detail").GetString());
        MetricSamples metrics = await gateway.MetricsAsync();
        Assert.True(metrics.Sum("gateway_health_checks_total", "pool=\"main\"", "result=\"unexpected_status\"") >= 3);
        Assert.True(metrics.Sum("gateway_health_checks_total", "pool=\"main\"", "result=\"success\"") >= 3);
        Assert.Matches($@"{_origins[1].Address} +1 +unhealthy .*GET /healthz: 503", (await gateway.CtlAsync("pools")).Out);
        _origins[1].BecomeAt("/healthz", null);
        await Until(gateway, _origins[1], "healthy");
        await Eventually.Until("requests reach it again", async () =>
        {
            _ = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/r0"));
            return _origins[1].HitsAt("/r0") > hits;
        });
    }

    [Fact]
    public async Task OneProberPerEndpoint_WhateverTheRoutes_AppliesAndValidations()
    {
        // A probe that times out opens another connection, and the machine may be busy.
        const string active = "\"path\": \"/healthz\", \"interval\": \"200ms\", \"timeout\": \"10s\"";
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document(active, 1, routes: 50));
        await Eventually.Until("it is probed", () => _origins[0].HitsAt("/healthz") >= 1);
        long before = _origins[0].HitsAt("/healthz"), start = System.Diagnostics.Stopwatch.GetTimestamp();
        for (int i = 0; i < 20; i++)
        {
            await gateway.ApplyAsync(Document(active, 1, routes: 50 + (i % 2)));
            // Another endpoint and other settings, but never live.
            Assert.Equal(200, (int)(await gateway.PostAsync("/admin/validate", Document("\"path\": \"/candidate\"", 2))).Status);
            Assert.Equal(200, (int)(await gateway.TryApplyAsync(Document("\"path\": \"/candidate\"", 2), query: "?dryRun=true")).Status);
        }
        await Eventually.Until("some more probes", () => _origins[0].HitsAt("/healthz") >= before + 10);
        double intervals = System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalMilliseconds / 200;
        Assert.InRange(_origins[0].HitsAt("/healthz") - before, 10, (intervals * 1.15) + 2);
        Assert.Equal((0, 0), (_origins[0].HitsAt("/candidate"), _origins[1].Hits));
        Assert.Equal(1, _origins[0].Accepted);

        await gateway.ApplyAsync(Doc.Of(Doc.Route("r0"), Doc.Pool("main", _origins[0].Address)));
        // The apply's answer comes when no prober runs any more.
        long last = _origins[0].Hits;
        await Eventually.Until("the probe's connection is closed", () => _origins[0].Open == 0);
        Assert.Equal(last, _origins[0].Hits);
    }

    [Fact]
    public async Task EndpointThatJoins_GetsNothingBeforeItsFirstProbe()
    {
        _origins[2].Become(Fault.AcceptOnly);
        const string active = "\"type\": \"http\", \"interval\": \"30s\", \"timeout\": \"20s\"";
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document(active, 2));
        await Until(gateway, _origins[1], "healthy");
        await gateway.ApplyAsync(Document(active, 3));
        await Until(gateway, _origins[2], "unprobed");
        for (int i = 0; i < 40; i++) Assert.Equal(200, (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/r0"))).Status);
    }

    [Theory]
    [InlineData("\"type\": \"tcp\"")]
    [InlineData("\"type\": \"http\", \"path\": \"/healthz\"")]
    public async Task AtAStart_NobodyWaits_AndADeadEndpointIsFoundAtOnce(string active)
    {
        _origins[0].Become(Fault.Refuse);
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document(active, 3));
        Assert.NotEqual(0, (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/r0"))).Status);
        await Until(gateway, _origins[0], "unhealthy");
        Assert.Contains("not connected: Connection refused; 1 in a row", Endpoint(await PoolAsync(gateway), _origins[0]).GetProperty("lastChange").GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task GrpcOverTlsWithThePoolsAuthority()
    {
        using var certificates = new TestCertificates();
        await using HttpOrigin origin = await HttpOrigin.StartAsync(new HttpOriginOptions { Protocols = HttpProtocols.Http2, Certificate = certificates.Server("o", "origin.test").Certificate });
        byte serving = 1;
        origin.Map("/grpc.health.v1.Health/Check", async http =>
        {
            http.Response.ContentType = "application/grpc";
            await http.Response.Body.WriteAsync(new byte[] { 0, 0, 0, 0, 2, 8, serving });
            Microsoft.AspNetCore.Http.ResponseTrailerExtensions.AppendTrailer(http.Response, "grpc-status", "0");
        });
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Doc.Route("all"), Doc.PoolWith("main",
            $"{Active($"\"type\": \"grpc\", \"unhealthyAfter\": 1, {Quick}")}, \"protocol\": \"grpc\", \"tls\": {{ \"ca\": \"{certificates.CaFile}\", \"serverName\": \"origin.test\" }}", origin.Address)));
        async Task<string?> StateAsync() => (await PoolAsync(gateway)).GetProperty("endpoints")[0] is var e && e.TryGetProperty("lastProbe", out JsonElement p) ? $"{e.GetProperty("state")}: {p.GetProperty("detail")}" : null;
        await Eventually.Until("it serves", async () => await StateAsync() == "healthy: SERVING");
        serving = 2;
        await Eventually.Until("it does not", async () => await StateAsync() == "unhealthy: NOT_SERVING");
    }
}
