using System.Diagnostics;
using System.Net.Sockets;
using Gateway.DataPlane.Server;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Server;

public sealed class ShutdownTests
{
    [Fact]
    public async Task Stop_FinishesWhatIsInFlight_ClosesWhatIsIdle_AndAcceptsNoMore()
    {
        await using RunningHost running = new();
        await running.ApplyAsync(RunningHost.Listener());
        Uri address = running.Address();
        await using RawHttpClient idle = await running.ConnectAsync();
        await idle.RequestAsync(Requests.Get);
        await using RawHttpClient busy = await running.ConnectAsync();
        await busy.SendAsync(Requests.Hold);
        using HttpClient http2 = H2Client.Http2();
        Task<string> stream = http2.GetStringAsync(new Uri(address, "/hold"));
        await Eventually.Until("both requests wait", () => running.Held.Waiting == 2);

        Task<StopReport> stopping = running.Host.StopAsync(TimeSpan.FromSeconds(30));
        Assert.Equal("", (await idle.ReadEndAsync()).Remainder);
        await Assert.ThrowsAsync<SocketException>(() => RawHttpClient.ConnectAsync(address));
        Assert.False(stopping.IsCompleted);
        running.Held.Open();

        RawResponse response = await busy.ReadResponseAsync();
        Assert.Equal("v1 web HTTP/1.1", response.Text);
        Assert.Equal("v1 web HTTP/2", await stream);
        Assert.Equal(new StopReport(2, 0), await Eventually.Within("the stop ends", stopping));
    }

    [Fact]
    public async Task UploadAndTunnel_GoOnWhileIdleConnectionsAreClosed()
    {
        await using RunningHost running = new();
        await running.ApplyAsync(RunningHost.Listener());
        await using RawHttpClient idle = await running.ConnectAsync();
        await idle.RequestAsync(Requests.Get);
        await using RawHttpClient upload = await running.ConnectAsync();
        await upload.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\none");
        await using RawHttpClient chunked = await running.ConnectAsync();
        await chunked.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
        await using RawHttpClient tunnel = await running.ConnectAsync();
        await tunnel.SendAsync(Requests.Upgrade);
        await tunnel.ReadHeadAsync();
        await Eventually.Until("both uploads have begun", () => running.Held.Pieces == 2);

        Task<StopReport> stopping = running.Host.StopAsync(TimeSpan.FromSeconds(30));
        Assert.Equal("", (await idle.ReadEndAsync()).Remainder);

        await tunnel.SendAsync("still here");
        Assert.Equal("still here"u8.ToArray(), await tunnel.ReadAsync(10));
        RawResponse first = await upload.RequestAsync("two");
        RawResponse second = await chunked.RequestAsync("3\r\ntwo\r\n0\r\n\r\n");
        Assert.Equal((200, "close", 200, "close"), (first.Status, first["Connection"], second.Status, second["Connection"]));
        await tunnel.DisposeAsync();
        Assert.Equal(new StopReport(3, 0), await Eventually.Within("the stop ends", stopping));
    }

    [Fact]
    public async Task ClientInSteadyUse_IsToldByItsNextResponse()
    {
        await using RunningHost running = new();
        await running.ApplyAsync(RunningHost.Listener());
        await using RawHttpClient client = await running.ConnectAsync();
        await client.RequestAsync(Requests.Get);
        Task<StopReport> stopping = running.Host.StopAsync(TimeSpan.FromSeconds(30));
        RawResponse last;
        do
        {
            last = await client.RequestAsync(Requests.Get);
            Assert.Equal(200, last.Status);
        }
        while (last["Connection"] is null && !stopping.IsCompleted);
        Assert.Equal("close", last["Connection"]);
        await Eventually.Within("the stop ends", stopping);
    }

    [Fact]
    public async Task WhatIsInFlightAfterTheGrace_IsAbortedAndCounted_UpgradedConnectionsToo()
    {
        await using RunningHost running = new();
        await running.ApplyAsync(RunningHost.Listener());
        await using RawHttpClient busy = await running.ConnectAsync();
        await busy.SendAsync(Requests.Hold);
        await using RawHttpClient tunnel = await running.ConnectAsync();
        await tunnel.SendAsync(Requests.Upgrade);
        await tunnel.ReadHeadAsync();
        await Eventually.Until("the request waits", () => running.Held.Waiting == 1);
        Assert.Equal(2, running.Host.InFlight);

        long started = Stopwatch.GetTimestamp();
        StopReport report = await Eventually.Within("the stop ends", running.Host.StopAsync(TimeSpan.FromMilliseconds(300)));

        Assert.Equal(new StopReport(0, 2), report);
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.FromMilliseconds(290), TimeSpan.FromSeconds(8));
        await busy.ReadEndAsync();
        await tunnel.ReadEndAsync();
        await Eventually.Until("nothing is in flight", () => running.Host.InFlight == 0);
    }

    [Fact]
    public async Task Stop_WithoutTraffic_IsQuick()
    {
        await using RunningHost running = new();
        await running.ApplyAsync(RunningHost.Listener());
        long started = Stopwatch.GetTimestamp();
        Assert.Equal(new StopReport(0, 0), await running.Host.StopAsync(TimeSpan.FromSeconds(30)));
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(3));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => running.ApplyAsync(RunningHost.Listener()));
    }
}
