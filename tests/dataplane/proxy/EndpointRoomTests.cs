using Gateway.Config;
using Gateway.Core.Breaker;
using Gateway.Core.Limits;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

/// <summary>A bound on the requests that an endpoint has at once, and the wait for room.</summary>
public sealed class EndpointRoomTests
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(1);

    private static string Get(string target = "/", string headers = "") => $"GET {target} HTTP/1.1\r\nHost: a\r\n{headers}\r\n";

    private static RoomQueue QueueOf(ProxyHost proxy) => proxy.Snapshots.Current!.Pools[0].State.Queue;

    private static Task WaitingAsync(ProxyHost proxy, int count) => Eventually.Until($"{count} wait", () => QueueOf(proxy).Waiting == count);

    [Theory]
    [InlineData(UpstreamProtocol.Http1)]
    [InlineData(UpstreamProtocol.H2c)]
    public async Task AtTheBound_TheNextWaits_UntilABodyHasEnded(UpstreamProtocol protocol)
    {
        await using HttpOrigin a = protocol == UpstreamProtocol.Http1 ? await HttpOrigin.StartAsync("a") : await HttpOrigin.StartH2cAsync("a");
        await using HttpOrigin b = protocol == UpstreamProtocol.Http1 ? await HttpOrigin.StartAsync("b") : await HttpOrigin.StartH2cAsync("b");
        await using ProxyHost proxy = await ProxyHost.StartAsync([a.Address, b.Address], new ProxyOptions { Protocol = protocol, MaxRequests = 2, Queue = new QueueSettings(10, Long) });
        List<RawHttpClient> busy = [];
        for (int i = 0; i < 4; i++)
        {
            RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
            busy.Add(client);
            await client.SendAsync(Get("/half?gate=g"));
            Assert.Equal(200, (await client.ReadHeadAsync())!.Status);
        }
        Assert.All(proxy.Endpoints, static e => Assert.Equal(2, e.State.Load.InFlight));
        Task<RawResponse> waiting = RawHttpClient.OnceAsync(proxy.Address, Get());
        await WaitingAsync(proxy, 1);
        Assert.Equal((2, 2), (a.RequestCount, b.RequestCount));
        b.Gate("g").LetPass();
        RawResponse response = await waiting;
        Assert.Equal((200, "b"), (response.Status, response["x-origin"]));
        a.Gate("g").Open();
        b.Gate("g").Open();
        await Eventually.Until("nothing is in flight", () => (proxy.InFlight, proxy.UpstreamInFlight, QueueOf(proxy).Waiting) == (0, 0, 0));
        Assert.Equal((2, 2), (a.MaxInFlight, b.MaxInFlight));
        foreach (RawHttpClient client in busy) await client.DisposeAsync();
    }

    [Fact]
    public async Task WhoCannotWait_IsTurnedAway_AndToldWhenToComeBack()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { MaxRequests = 1, Queue = new QueueSettings(1, TimeSpan.FromMilliseconds(300)) });
        Task<RawResponse> first = RawHttpClient.OnceAsync(proxy.Address, Get("/hold?gate=g"));
        await origin.Gate("g").WaitForArrivalAsync();
        Task<RawResponse> second = RawHttpClient.OnceAsync(proxy.Address, Get());
        await WaitingAsync(proxy, 1);
        RawResponse third = await RawHttpClient.OnceAsync(proxy.Address, Get());
        Assert.Equal((503, "1"), (third.Status, third["Retry-After"]));
        Assert.Contains("as many wait as may", third.Text, StringComparison.Ordinal);
        RawResponse late = await second;
        Assert.Equal((503, "1"), (late.Status, late["Retry-After"]));
        Assert.Contains("\"overloaded\"", late.Text, StringComparison.Ordinal);
        Assert.Contains("none of them ended in time", late.Text, StringComparison.Ordinal);
        Assert.Equal((1L, 1L), (QueueOf(proxy).Full, QueueOf(proxy).TimedOut));
        origin.Gate("g").Open();
        Assert.Equal(200, (await first).Status);
        Assert.Equal(1, origin.RequestCount);
        // Nobody was asked: it is held against no endpoint.
        Assert.Equal((1, 0), (proxy.Endpoints[0].State.Attempts, proxy.Endpoints[0].State.Failures));
        Assert.Equal(200, (await RawHttpClient.OnceAsync(proxy.Address, Get())).Status);
    }

    [Theory]
    [InlineData(UpstreamProtocol.Http1)]
    [InlineData(UpstreamProtocol.Https)]
    public async Task AtTheBoundOfConnections_TheWaitIsNotTheAttempts_AndCountsAgainstNobody(UpstreamProtocol protocol)
    {
        using var authority = protocol == UpstreamProtocol.Https ? new TestCertificates() : null;
        // Without ALPN for HTTP/2, so that each request takes a connection.
        await using HttpOrigin origin = await HttpOrigin.StartAsync(new HttpOriginOptions { Certificate = authority?.Server("origin", "127.0.0.1").Certificate });
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions
        {
            Protocol = protocol,
            Tls = authority is null ? null : UpstreamTls.Load(new UpstreamTlsConfig { Verify = false }, ".", "tls", []),
            MaxConnections = 1,
            Attempt = TimeSpan.FromMilliseconds(400),
            Queue = new QueueSettings(1, TimeSpan.FromSeconds(1)),
            Breaker = new BreakerSettings { MinRequests = 1 },
        });
        ConnectionQueue queue = proxy.Snapshots.Current!.Pools[0].State.Connections;
        await using RawHttpClient busy = await RawHttpClient.ConnectAsync(proxy.Address);
        await busy.SendAsync(Get("/half?gate=g"));
        Assert.Equal(200, (await busy.ReadHeadAsync())!.Status);

        Task<RawResponse> late = RawHttpClient.OnceAsync(proxy.Address, Get());
        await Eventually.Until("one waits", () => queue.Waiting == 1);
        RawResponse beyond = await RawHttpClient.OnceAsync(proxy.Address, Get());
        foreach (RawResponse response in (IEnumerable<RawResponse>)[beyond, await late])
        {
            Assert.Equal(503, response.Status);
            Assert.Contains("\"overloaded\"", response.Text, StringComparison.Ordinal);
        }
        Assert.Equal((1, 1, 1, 0), (queue.Full, queue.TimedOut, origin.RequestCount, queue.Waiting));
        Assert.Equal(0, proxy.Endpoints[0].State.Failures);
        Assert.Equal(BreakerState.Closed, proxy.Snapshots.Current!.Routes[0].State.Attempts!.Breaker!.State);

        // Who waits for less than it may has an attempt's whole time from then on.
        Task<RawResponse> waiting = RawHttpClient.OnceAsync(proxy.Address, Get("/hold?gate=never"));
        await Eventually.Until("one waits", () => queue.Waiting == 1);
        origin.Gate("g").Open();
        RawResponse slow = await waiting;
        Assert.Equal(504, slow.Status);
        Assert.Contains("\"upstream_timeout\"", slow.Text, StringComparison.Ordinal);
        Assert.Equal((1, 0), (proxy.Endpoints[0].State.Failures, queue.Waiting));
        await Eventually.Until("nothing is in flight", () => proxy.InFlight == 0);
    }

    [Fact]
    public async Task AClientThatLeaves_LeavesTheQueue_AndTheRoomGoesToTheNext()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { MaxRequests = 1, Queue = new QueueSettings(1, Long) });
        Task<RawResponse> first = RawHttpClient.OnceAsync(proxy.Address, Get("/hold?gate=g"));
        await origin.Gate("g").WaitForArrivalAsync();
        await using (RawHttpClient leaving = await RawHttpClient.ConnectAsync(proxy.Address))
        {
            await leaving.SendAsync(Get("/gone"));
            await WaitingAsync(proxy, 1);
        }
        await WaitingAsync(proxy, 0);
        Task<RawResponse> second = RawHttpClient.OnceAsync(proxy.Address, Get("/stays"));
        await WaitingAsync(proxy, 1);
        origin.Gate("g").Open();
        Assert.Equal((200, 200), ((await first).Status, (await second).Status));
        Assert.DoesNotContain(origin.Requests, static r => r.Target == "/gone");
        Assert.Contains("category=\"client_closed\"} 1", proxy.Scrape(), StringComparison.Ordinal);
        Assert.Equal(0, proxy.InFlight);
    }

    [Fact]
    public async Task TheRequestsTime_CountsTheWait()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions
        {
            MaxRequests = 1,
            Queue = new QueueSettings(1, Long),
            Attempts = ProxyOptions.Plan(1, deadlineHeader: "X-Timeout"),
        });
        Task<RawResponse> first = RawHttpClient.OnceAsync(proxy.Address, Get("/hold?gate=g"));
        await origin.Gate("g").WaitForArrivalAsync();
        RawResponse late = await RawHttpClient.OnceAsync(proxy.Address, Get(headers: "X-Timeout: 50\r\n"));
        Assert.Equal(504, late.Status);
        Assert.Contains("\"request_timeout\"", late.Text, StringComparison.Ordinal);
        Assert.Equal(0, QueueOf(proxy).Waiting);
        origin.Gate("g").Open();
        Assert.Equal(200, (await first).Status);
    }

    [Fact]
    public async Task ARetry_GoesWhereThereIsRoom_AndAProbeThatIsTurnedAway_IsGivenBack()
    {
        await using FaultOrigin failing = FaultOrigin.Start("failing");
        await using HttpOrigin busy = await HttpOrigin.StartAsync("busy");
        failing.Become(Fault.ResetAt(0));
        await using (ProxyHost proxy = await ProxyHost.StartAsync([failing.Address, busy.Address], new ProxyOptions
        {
            Weights = [1, 1_000_000],
            MaxRequests = 1,
            Queue = new QueueSettings(2, Long),
            Attempts = ProxyOptions.Plan(2),
        }))
        {
            Task<RawResponse> first = RawHttpClient.OnceAsync(proxy.Address, Get("/hold?gate=g"));
            await busy.Gate("g").WaitForArrivalAsync();
            // The busy one has no room; the other one fails at once and has room again, so it is asked twice.
            Assert.Equal(502, (await RawHttpClient.OnceAsync(proxy.Address, Get())).Status);
            Assert.Equal(2, failing.Hits);
            busy.Gate("g").Open();
            Assert.Equal(200, (await first).Status);
        }
        var settings = new BreakerSettings { MinRequests = 1, Open = TimeSpan.FromMilliseconds(10), Probes = 1 };
        await using (ProxyHost proxy = await ProxyHost.StartAsync(busy.Address, new ProxyOptions { Breaker = settings, MaxRequests = 1, Queue = new QueueSettings(0, Long) }))
        {
            Task<RawResponse> first = RawHttpClient.OnceAsync(proxy.Address, Get("/hold?gate=h"));
            await busy.Gate("h").WaitForArrivalAsync();
            CircuitBreaker breaker = proxy.Snapshots.Current!.Routes[0].State.Attempts!.Breaker!;
            long now = TimeProvider.System.GetTimestamp();
            Assert.True(breaker.TryEnter(now, out BreakerPermit permit));
            Assert.Equal(BreakerState.Open, breaker.Leave(permit, BreakerOutcome.Failure, now));
            // Probes that find no room, more of them than there are.
            await Eventually.Until("a probe was turned away for want of room", async () =>
                (await RawHttpClient.OnceAsync(proxy.Address, Get())).Text.Contains("\"overloaded\"", StringComparison.Ordinal));
            Assert.Contains("\"overloaded\"", (await RawHttpClient.OnceAsync(proxy.Address, Get())).Text, StringComparison.Ordinal);
            busy.Gate("h").Open();
            Assert.Equal(200, (await first).Status);
            Assert.Equal(200, (await RawHttpClient.OnceAsync(proxy.Address, Get())).Status);
            Assert.Equal(BreakerState.Closed, breaker.State);
        }
    }

    [Fact]
    public async Task ASecondAttempt_WaitsForNobody()
    {
        await using HttpOrigin a = await HttpOrigin.StartAsync("a");
        await using HttpOrigin b = await HttpOrigin.StartAsync("b");
        await using ProxyHost proxy = await ProxyHost.StartAsync([a.Address, b.Address], new ProxyOptions
        {
            MaxRequests = 1,
            Queue = new QueueSettings(2, Long),
            Attempts = ProxyOptions.Plan(1, hedge: new HedgePlan(TimeSpan.FromMilliseconds(20))),
        });
        Task<RawResponse>[] held = [RawHttpClient.OnceAsync(proxy.Address, Get("/hold?gate=g")), RawHttpClient.OnceAsync(proxy.Address, Get("/hold?gate=g"))];
        await Eventually.Until("both are full", () => proxy.Endpoints.All(static e => e.State.Load.InFlight == 1) && a.RequestCount + b.RequestCount == 2);
        Task<RawResponse> waiting = RawHttpClient.OnceAsync(proxy.Address, Get());
        await WaitingAsync(proxy, 1);
        a.Gate("g").Open();
        b.Gate("g").Open();
        Assert.Equal(200, (await waiting).Status);
        foreach (Task<RawResponse> request in held) Assert.Equal(200, (await request).Status);
        await Eventually.Until("nothing is in flight", () => (proxy.InFlight, proxy.UpstreamInFlight) == (0, 0));
        Assert.Equal((1, 1), (a.MaxInFlight, b.MaxInFlight));
    }
}
