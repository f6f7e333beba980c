using Gateway.Config;
using Gateway.Core.Limits;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

/// <summary>What of a request's time is the endpoint's, and what becomes of a request that has none left.</summary>
public sealed class RequestTimeTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(300);

    private static (long Attempts, long Failures) Evidence(ProxyHost proxy) => (proxy.Endpoints[0].State.Attempts, proxy.Endpoints[0].State.Failures);

    [Theory]
    [InlineData(UpstreamProtocol.Http1)]
    [InlineData(UpstreamProtocol.H2c)]
    public async Task ASlowUpload_ThatUsesUpTheRequestsTime_IsNotHeldAgainstTheEndpoint(UpstreamProtocol protocol)
    {
        await using HttpOrigin origin = protocol == UpstreamProtocol.Http1 ? await HttpOrigin.StartAsync() : await HttpOrigin.StartH2cAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Protocol = protocol, Request = Short });
        RawResponse late = await RawHttpClient.OnceAsync(proxy.Address, "POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
        Assert.Equal(504, late.Status);
        Assert.Contains("\"request_timeout\"", late.Text, StringComparison.Ordinal);
        await Eventually.Until("it is recorded", () => Evidence(proxy) == (1, 0));
    }

    [Theory]
    [InlineData(UpstreamProtocol.Http1, "GET /hold?gate=never HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData(UpstreamProtocol.Http1, "POST /hold?gate=never HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")]
    [InlineData(UpstreamProtocol.H2c, "GET /hold?gate=never HTTP/1.1\r\nHost: a\r\n\r\n")]
    public async Task AnEndpointThatHadTheRequestToItself_IsHeldToIt(UpstreamProtocol protocol, string request)
    {
        await using HttpOrigin origin = protocol == UpstreamProtocol.Http1 ? await HttpOrigin.StartAsync() : await HttpOrigin.StartH2cAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Protocol = protocol, Request = Short });
        Assert.Equal(504, (await RawHttpClient.OnceAsync(proxy.Address, request)).Status);
        await Eventually.Until("it is recorded", () => Evidence(proxy) == (1, 1));
    }

    [Fact]
    public async Task TheTimeInAQueue_IsNotTheEndpoints()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions
        {
            Request = TimeSpan.FromSeconds(1),
            MaxRequests = 1,
            Queue = new QueueSettings(1, TimeSpan.FromMinutes(1)),
        });
        // What holds the endpoint has its head, and gives way after more than half of the second one's time.
        await using RawHttpClient first = await RawHttpClient.ConnectAsync(proxy.Address);
        await first.SendAsync("GET /half?gate=never HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.Equal(200, (await first.ReadHeadAsync())!.Status);
        long waited = System.Diagnostics.Stopwatch.GetTimestamp();
        Task<RawResponse> second = RawHttpClient.OnceAsync(proxy.Address, "GET /hold?gate=never HTTP/1.1\r\nHost: a\r\n\r\n");
        await Eventually.Until("the second one has waited for most of its time", () =>
            proxy.Snapshots.Current!.Pools[0].State.Queue.Waiting == 1 && System.Diagnostics.Stopwatch.GetElapsedTime(waited) > TimeSpan.FromMilliseconds(700));
        first.Reset();
        Assert.Equal(504, (await second).Status);
        Assert.Equal(2, origin.RequestCount);
        await Eventually.Until("both are recorded", () => proxy.Endpoints[0].State.Attempts == 2);
        Assert.Equal(0, proxy.Endpoints[0].State.Failures);
    }

    private static ProxyOptions Bounded(int queue) => new()
    {
        Route = new RouteConfig { Name = "route", Overload = new OverloadConfig { MaxInflight = 1, MaxQueue = queue, QueueTimeout = TimeSpan.FromMinutes(1) } },
        Attempts = ProxyOptions.Plan(1, deadlineHeader: "X-Timeout"),
    };

    private static string Get(string timeout) => $"GET / HTTP/1.1\r\nHost: a\r\nX-Timeout: {timeout}\r\n\r\n";

    [Fact]
    public async Task ARequestWhoseTimeEndsInTheQueue_LeavesIt_AndIsNotSent()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, Bounded(queue: 1));
        Task<RawResponse> first = RawHttpClient.OnceAsync(proxy.Address, "GET /hold?gate=g HTTP/1.1\r\nHost: a\r\n\r\n");
        await origin.Gate("g").WaitForArrivalAsync();
        RawResponse late = await Eventually.Within("the one that waits is answered", RawHttpClient.OnceAsync(proxy.Address, Get("100")));
        Assert.Equal(504, late.Status);
        Assert.Contains("\"request_timeout\"", late.Text, StringComparison.Ordinal);
        // Its place is free again: the next one waits, and is served.
        Task<RawResponse> next = RawHttpClient.OnceAsync(proxy.Address, Get("60000"));
        Assert.False(next.IsCompleted);
        origin.Gate("g").Open();
        Assert.Equal((200, 200), ((await first).Status, (await next).Status));
        Assert.Equal(2, origin.RequestCount);
    }

    [Theory]
    [InlineData(UpstreamProtocol.Http1)]
    [InlineData(UpstreamProtocol.H2c)]
    public async Task ARequestThatComesWithNoTimeLeft_IsNotSent_AndTakesNobodysPlace(UpstreamProtocol protocol)
    {
        await using HttpOrigin origin = protocol == UpstreamProtocol.Http1 ? await HttpOrigin.StartAsync() : await HttpOrigin.StartH2cAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, Bounded(queue: 1) with { Protocol = protocol });
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        for (int i = 0; i < 3; i++)
        {
            RawResponse late = await client.RequestAsync(Get("0"));
            Assert.Equal(504, late.Status);
            Assert.Contains("\"request_timeout\"", late.Text, StringComparison.Ordinal);
        }
        Assert.Equal((0, (0L, 0L)), (origin.RequestCount, Evidence(proxy)));
        Assert.Equal(200, (await client.RequestAsync(Get("60000"))).Status);
    }
}
