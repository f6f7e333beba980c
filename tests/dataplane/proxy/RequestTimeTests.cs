using Gateway.Config;
using Gateway.Core.Limits;
using Gateway.DataPlane.Proxy;
using Gateway.DataPlane.Runtime;
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

    [Fact]
    public void ATimeThatIsOver_StrikesItsOwnRequestOnly()
    {
        // The flow ends the request while the timer holds the lock to find its time over, so that the two meet right after, thousands of times.
        var time = new HandTime();
        var deadline = new RequestDeadline(time);
        deadline.Begin(time.GetTimestamp(), TimeSpan.FromTicks(1));
        using var meet = new Barrier(2);
        const int Rounds = 30_000;
        Exception? failed = null;
        var timer = new Thread(() =>
        {
            for (int i = 0; i < Rounds; i++)
            {
                meet.SignalAndWait();
                time.Fire();
                meet.SignalAndWait();
                Volatile.Write(ref time.Looks, 0);
            }
        });
        timer.Start();
        for (int i = 0; i < Rounds; i++)
        {
            deadline.Begin(time.GetTimestamp(), TimeSpan.FromTicks(1));
            time.Now += 2;
            meet.SignalAndWait();
            SpinWait.SpinUntil(() => Volatile.Read(ref time.Looks) != 0);
            deadline.End();
            // The next one has a day.
            deadline.Begin(time.GetTimestamp(), TimeSpan.FromDays(1));
            meet.SignalAndWait();
            if (deadline.Reason != ErrorCategory.None || deadline.Token.IsCancellationRequested) failed ??= new InvalidOperationException($"struck by the last one's time in round {i}");
            deadline.End();
        }
        timer.Join();
        Assert.Null(failed);
    }

    /// <summary>A clock that is set by hand, with one timer that is fired by hand.</summary>
    private sealed class HandTime : TimeProvider
    {
        private TimerCallback? _callback;
        private object? _state;

        public long Now = 1000;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        /// <summary>What fires the timer has looked at the clock, with the lock held.</summary>
        public int Looks;

        private bool _fires;

        public override long GetTimestamp()
        {
            if (_fires && Environment.CurrentManagedThreadId == _thread)
            {
                Volatile.Write(ref Looks, 1);
                Thread.SpinWait(200);
            }
            return Volatile.Read(ref Now);
        }

        private int _thread;

        public void Fire()
        {
            (_thread, _fires) = (Environment.CurrentManagedThreadId, true);
            _callback!(_state);
            _fires = false;
            Volatile.Write(ref Looks, 1);
        }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            (_callback, _state) = (callback, state);
            return new NoTimer();
        }

        private sealed class NoTimer : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;
            public void Dispose() { }
            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
