using System.Diagnostics;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.DataPlane;

/// <summary>Each timeout fires when its time is over and not before, with its own category; what is within it is left alone.</summary>
[Collection("timing")]
public sealed class TimeoutTests
{
    private static Task<GatewayProcess> StartAsync(string address, string timeouts, string pool = "") => GatewayProcess.StartAsync(
        Doc.Of(Doc.Route("all", more: $"\"timeouts\": {{ {timeouts} }}"), Doc.PoolWith("main", pool, address)));

    private static async Task<(RawResponse Response, TimeSpan Elapsed)> TimedAsync(Uri address, string request)
    {
        long start = Stopwatch.GetTimestamp();
        RawResponse response = await RawHttpClient.OnceAsync(address, request);
        return (response, Stopwatch.GetElapsedTime(start));
    }

    [Fact]
    public async Task NoResponseHead_Is504AfterTheAttemptTimeout()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await StartAsync(origin.Address, "\"attempt\": \"400ms\"");
        (RawResponse response, TimeSpan elapsed) = await TimedAsync(gateway.Listener(), Doc.Get("/hold?gate=never"));
        Problem.Is(response, 504, "upstream_timeout");
        Assert.InRange(elapsed.TotalMilliseconds, 390, 3000);
        await Eventually.Until("the upstream's request is cancelled", () => origin.Aborted == 1);
    }

    [Fact]
    public async Task AttemptTimeout_DoesNotCutTheBody()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await StartAsync(origin.Address, "\"attempt\": \"300ms\"");
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        await client.SendAsync(Doc.Get("/half?gate=later"));
        RawResponse response = (await client.ReadHeadAsync())!;
        await origin.Gate("later").WaitForArrivalAsync();
        // Well past the attempt timeout, the body still runs.
        await Task.Delay(900);
        origin.Gate("later").Open();
        await client.ReadBodyAsync(response);
        Assert.Equal(("first second", true), (response.Text, response.IsWhole));
    }

    [Fact]
    public async Task RequestTimeoutBeforeTheResponse_Is504()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await StartAsync(origin.Address, "\"request\": \"400ms\"");
        (RawResponse response, TimeSpan elapsed) = await TimedAsync(gateway.Listener(), Doc.Get("/hold?gate=never"));
        Problem.Is(response, 504, "request_timeout");
        Assert.InRange(elapsed.TotalMilliseconds, 390, 3000);
    }

    [Fact]
    public async Task RequestTimeoutInTheBody_AbortsTheStream()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await StartAsync(origin.Address, "\"request\": \"600ms\"");
        (RawResponse response, TimeSpan elapsed) = await TimedAsync(gateway.Listener(), Doc.Get("/half?gate=never"));
        Assert.Equal((200, BodyEnd.Died, "first "), (response.Status, response.End, response.Text));
        Assert.InRange(elapsed.TotalMilliseconds, 590, 4000);
    }

    [Fact]
    public async Task SilentBody_IsAbortedAfterTheIdleTimeout()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await StartAsync(origin.Address, "\"idle\": \"500ms\"");
        (RawResponse response, TimeSpan elapsed) = await TimedAsync(gateway.Listener(), Doc.Get("/half?gate=never"));
        Assert.Equal((200, BodyEnd.Died), (response.Status, response.End));
        Assert.InRange(elapsed.TotalMilliseconds, 490, 4000);
    }

    [Fact]
    public async Task BodyThatKeepsMoving_OutlivesTheIdleTimeout()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await StartAsync(origin.Address, "\"idle\": \"800ms\"");
        Task<RawResponse> reading = RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/sse?count=8&gate=beat"));
        for (int i = 1; i <= 8; i++)
        {
            await origin.Gate("beat").WaitForArrivalAsync(i);
            await Task.Delay(250);
            origin.Gate("beat").LetPass();
        }
        RawResponse response = await reading;
        Assert.Equal((true, 8), (response.IsWhole, response.Text.Split("data:").Length - 1));
    }

    [Fact]
    public async Task SilentWebSocket_OutlivesTheRequestTimeout()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await StartAsync(origin.Address, "\"request\": \"400ms\", \"attempt\": \"400ms\"");
        using var socket = await H2Client.OpenWebSocketAsync(new Uri(gateway.Listener(), "/ws"), new Version(1, 1));
        _ = await socket.ExchangeAsync("a");
        await Task.Delay(1200);
        Assert.Equal("b", await socket.ExchangeAsync("b"));
    }

    [Fact]
    public async Task ConnectTimeout_Is502()
    {
        // A listen queue that is full: a further connect is neither accepted nor refused.
        using var full = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.InterNetwork, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
        full.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0));
        full.Listen(0);
        var address = (System.Net.IPEndPoint)full.LocalEndPoint!;
        var fillers = new List<System.Net.Sockets.Socket>();
        for (int i = 0; i < 3; i++)
        {
            var filler = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.InterNetwork, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp) { Blocking = false };
            try { filler.Connect(address); }
            catch (System.Net.Sockets.SocketException) { }
            fillers.Add(filler);
        }
        await using GatewayProcess gateway = await StartAsync($"127.0.0.1:{address.Port}", "", "\"connections\": { \"connectTimeout\": \"400ms\" }");
        (RawResponse response, TimeSpan elapsed) = await TimedAsync(gateway.Listener(), Doc.Get());
        Problem.Is(response, 502, "upstream_connect_failed");
        Assert.InRange(elapsed.TotalMilliseconds, 390, 5000);
        foreach (System.Net.Sockets.Socket filler in fillers) filler.Dispose();
    }

    [Fact]
    public async Task SlowRequestHead_Is408AndClose()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Doc.Route("all"), Doc.Pool("main", origin.Address),
            """{ "name": "web", "address": "127.0.0.1:0", "limits": { "headerTimeout": "500ms" } }"""));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        await client.SendAsync("GET / HTTP/1.1\r\nHost: h\r\n");
        long start = Stopwatch.GetTimestamp();
        RawResponse? response = await client.ReadHeadAsync();
        Assert.Equal(408, response?.Status);
        Assert.Equal(WireEnd.Closed, (await client.ReadEndAsync()).End);
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalMilliseconds, 100, 6000);
        Assert.Equal(0, origin.RequestCount);
    }

    [Fact]
    public async Task IdleKeepAliveConnection_IsClosed()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Doc.Route("all"), Doc.Pool("main", origin.Address),
            """{ "name": "web", "address": "127.0.0.1:0", "limits": { "idleTimeout": "500ms" } }"""));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        Assert.Equal(200, (await client.RequestAsync(Doc.Get())).Status);
        long start = Stopwatch.GetTimestamp();
        (WireEnd end, string rest) = await client.ReadEndAsync();
        Assert.Equal((WireEnd.Closed, ""), (end, rest));
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalMilliseconds, 100, 6000);
    }

    [Fact]
    public async Task BodySlowerThanTheMinimumRate_IsRefused()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Doc.Route("all"), Doc.Pool("main", origin.Address),
            """{ "name": "web", "address": "127.0.0.1:0", "limits": { "minBodyRate": "1Ki" } }"""));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        await client.SendAsync("POST /sink HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nslow");
        // After the grace of five seconds.
        RawResponse? response = await client.ReadHeadAsync();
        Assert.True(response is null or { Status: 408 }, response?.ToString());
        if (response is not null) _ = await client.ReadEndAsync();
        await Eventually.Until("the upstream's request ended", () => origin.InFlight == 0 && origin.Aborted == 1);
    }
}

/// <summary>Tests that compare with a clock run one after the other and not beside the others.</summary>
[CollectionDefinition("timing", DisableParallelization = true)]
public sealed class TimingCollection;
