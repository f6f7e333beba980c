using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Resilience;

/// <summary>Limits by client address, and of the whole process.</summary>
public sealed class RateTests
{
    private static string Listener(string limits, string more = "") => $$"""{ "name": "web", "address": "127.0.0.1:0"{{more}}, "limits": { {{limits}} } }""";

    private const string Ok = """{ "name": "ok", "respond": {} }""";

    [Fact]
    public async Task Requests_BeyondTheRateOfTheirAddress_Get429AndAreTold()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Ok, "", Listener("\"requestRatePerAddress\": { \"perSecond\": 1, \"burst\": 5 }")));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        for (int i = 0; i < 5; i++) Assert.Equal(200, (await client.RequestAsync(Doc.Get())).Status);
        // Another connection of the same client.
        RawResponse limited = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get());
        Assert.Equal((429, "1"), (limited.Status, limited["Retry-After"]));
        Assert.Contains("\"category\":\"rate_limited\"", limited.Text, StringComparison.Ordinal);
        Assert.Equal(1, (await gateway.MetricsAsync()).Sum("gateway_rate_limited_total", "route=\"ok\""));
        // What is left survives an apply; what time brings does too.
        await gateway.ApplyAsync(Doc.Of(Ok, "", Listener("\"requestRatePerAddress\": { \"perSecond\": 1, \"burst\": 5 }, \"headerCount\": 50")));
        int good = 0;
        for (int i = 0; i < 5; i++) good += (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Status == 200 ? 1 : 0;
        Assert.InRange(good, 0, 4);
        await Eventually.Until("a token has come", async () => (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Status == 200);
    }

    [Fact]
    public async Task BehindATrustedProxy_TheClientThatItNamesIsLimited_NotTheProxy()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Ok, "",
            Listener("\"requestRatePerAddress\": { \"perSecond\": 1, \"burst\": 2 }", ", \"trustedProxies\": [\"127.0.0.0/8\"]")));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        async Task<int> GetAsync(string address) => (await client.RequestAsync(Doc.Get(headers: $"X-Forwarded-For: {address}\r\n"))).Status;
        foreach (string address in (string[])["192.0.2.1", "192.0.2.2", "2001:db8::1"])
            Assert.Equal((200, 200, 429), (await GetAsync(address), await GetAsync(address), await GetAsync(address)));
        Assert.Equal(429, await GetAsync("2001:db8::2"));
        Assert.Equal(200, await GetAsync("2001:db8:0:1::1"));
    }

    [Fact]
    public async Task Connections_BeyondTheRateOfTheirAddress_AreClosedAtOnce()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Ok, "", Listener("\"connectionRatePerAddress\": { \"perSecond\": 1, \"burst\": 3 }")));
        int served = 0, refused = 0;
        for (int i = 0; i < 8; i++)
        {
            await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
            try
            {
                if ((await client.RequestAsync(Doc.Get())).Status == 200) served++;
            }
            catch (Exception e) when (e is IOException or InvalidDataException or System.Net.Sockets.SocketException)
            {
                refused++;
            }
        }
        Assert.InRange(served, 3, 5);
        Assert.Equal(8, served + refused);
        Assert.Equal(refused, (await gateway.MetricsAsync()).Sum("gateway_connections_rejected_total", "reason=\"connection_rate_per_address\""));
    }

    [Fact]
    public async Task AProcessShortOfMemory_TurnsTheLeastImportantAway()
    {
        await using FaultOrigin origin = FaultOrigin.Start();
        string routes = string.Join(", ", ((int[])[0, 7]).Select(level =>
            Doc.Route($"p{level}", Doc.Exact($"/p{level}"), more: $"\"overload\": {{ \"priority\": {{ \"level\": {level} }} }}")));
        // Of 400 MB a fresh process has a fifth or more: above the threshold, and well below the end at half.
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(
            Doc.Of(routes, Doc.Pool("main", origin.Address), more: "\"overload\": { \"memoryPercent\": 5, \"queueDelay\": \"0s\" }"),
            new GatewayProcessOptions { Environment = new Dictionary<string, string> { ["DOTNET_GCHeapHardLimit"] = "0x18000000" } });
        RawResponse refused = await Eventually.Get("it is hard pressed", async () => await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/p7")) is { Status: 503 } response ? response : null);
        Assert.Equal("1", refused["Retry-After"]);
        Assert.Contains("The gateway has more to do than it can.", refused.Text, StringComparison.Ordinal);
        Assert.Equal(200, (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/p0"))).Status);
        Assert.InRange((await gateway.MetricsAsync()).Sum("gateway_overload_pressure"), 0.05, 0.95);
        Assert.Contains(gateway.Error, l => l.Contains("requests are turned away, the least important first", StringComparison.Ordinal));
        await gateway.ApplyAsync(Doc.Of(routes, Doc.Pool("main", origin.Address), more: "\"overload\": { \"memoryPercent\": 0 }"));
        await Eventually.Until("it is not looked at any more", async () => (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/p7"))).Status == 200);
    }

    [Fact]
    public async Task AProcessWhoseWorkWaitsTooLong_TurnsTheLeastImportantAway_UntilItDoesNot()
    {
        await using FaultOrigin origin = FaultOrigin.Start();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(
            Doc.Route("p7", Doc.Exact("/p7"), more: "\"overload\": { \"priority\": { \"level\": 7 } }"), Doc.Pool("main", origin.Address),
            more: "\"overload\": { \"memoryPercent\": 0, \"queueDelay\": \"100ms\" }"));
        using var well = new CancellationTokenSource();
        // Three hundred milliseconds without a processor, and some with one: each look at the delay, ten times a second, is late by 200 and more.
        Task starved = Task.Run(async () =>
        {
            while (!well.IsCancellationRequested)
            {
                gateway.Freeze();
                try { await Task.Delay(TimeSpan.FromMilliseconds(300), CancellationToken.None); }
                finally { gateway.Thaw(); }
                await Task.Delay(TimeSpan.FromMilliseconds(30), CancellationToken.None);
            }
        });
        RawResponse refused;
        try
        {
            refused = await Eventually.Get("it is hard pressed", async () => await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/p7")) is { Status: 503 } response ? response : null, TimeSpan.FromSeconds(60));
        }
        finally
        {
            await well.CancelAsync();
            await starved;
        }
        Assert.Equal("1", refused["Retry-After"]);
        Problem.Is(refused, 503, "overloaded");
        Assert.Contains("The gateway has more to do than it can.", refused.Text, StringComparison.Ordinal);
        Assert.Contains(gateway.Error, static l => l.Contains("requests are turned away, the least important first", StringComparison.Ordinal));
        await Eventually.Until("it serves all again", async () => (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/p7"))).Status == 200);
        Assert.True((await gateway.MetricsAsync()).Sum("gateway_errors_total", "category=\"overloaded\"") >= 1);
    }

    [Theory]
    [InlineData("auto")]
    [InlineData("sockets")]
    public async Task AProcessAtTheEndOfItsMemory_AcceptsNothing_UntilThereIsMore(string transport)
    {
        await using FaultOrigin origin = FaultOrigin.Start();
        string Document(int percent) => Doc.Of(Doc.Route("all"), Doc.Pool("main", origin.Address), more: $"\"overload\": {{ \"memoryPercent\": {percent}, \"queueDelay\": \"0s\" }}");
        // Of 80 MB a process has more than the half at which all is turned away.
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document(0), new GatewayProcessOptions
        {
            Arguments = ["--transport", transport],
            Environment = new Dictionary<string, string> { ["DOTNET_GCHeapHardLimit"] = "0x5000000" },
        });
        await using RawHttpClient connected = await RawHttpClient.ConnectAsync(gateway.Listener());
        Assert.Equal(200, (await connected.RequestAsync(Doc.Get())).Status);
        await gateway.ApplyAsync(Document(1));
        await Eventually.Until("nothing is accepted", async () => (await gateway.MetricsAsync()).Sum("gateway_accept_paused") == 1);
        // The system connects them; nobody talks to them.
        RawHttpClient[] clients = [await RawHttpClient.ConnectAsync(gateway.Listener()), await RawHttpClient.ConnectAsync(gateway.Listener())];
        foreach (RawHttpClient client in clients) await client.SendAsync(Doc.Get());
        Task<RawResponse>[] answers = [.. clients.Select(static c => c.ReadResponseAsync())];
        for (int i = 0; i < 50; i++) Assert.Equal(503, (await connected.RequestAsync(Doc.Get())).Status);
        Assert.All(answers, static a => Assert.False(a.IsCompleted));
        MetricSamples metrics = await gateway.MetricsAsync();
        Assert.Equal((1, 1), (metrics.Sum("gateway_accept_pauses_total"), metrics.Sum("gateway_connections", "listener=\"web\"")));
        Assert.Contains(gateway.Error, static l => l.Contains("no connections are accepted until it is less", StringComparison.Ordinal));

        await gateway.ApplyAsync(Document(0));
        foreach (Task<RawResponse> answer in answers) Assert.Equal(200, (await Eventually.Within("those who waited are served", answer)).Status);
        Assert.Equal(0, (await gateway.MetricsAsync()).Sum("gateway_accept_paused"));
        foreach (RawHttpClient client in clients) await client.DisposeAsync();
    }
}
