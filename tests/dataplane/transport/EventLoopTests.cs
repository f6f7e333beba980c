using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Gateway.DataPlane.Transport;
using Gateway.TestKit;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Gateway.DataPlane.Tests.Transport;

public sealed class EventLoopTests
{
    private static Task Answer(IFeatureCollection features)
    {
        features.Get<IHttpResponseFeature>()!.Headers.ContentLength = 2;
        return features.Get<IHttpResponseBodyFeature>()!.Writer.WriteAsync("ok"u8.ToArray()).AsTask();
    }

    [Fact]
    public async Task Who_yields_goes_on_after_what_waited_before_him()
    {
        var loop = new EventLoop("yielding", NullLogger.Instance);
        loop.Start();
        try
        {
            List<string> order = [];
            await loop.Switch();
            order.Add("first");
            loop.Post(_ => order.Add("waiting"), null);
            await loop.Yield();
            Assert.Same(loop, EventLoop.Current);
            order.Add("second");
            Assert.Equal(["first", "waiting", "second"], order);
            await Task.Yield();
        }
        finally
        {
            loop.Stop();
        }
    }

    [Fact]
    public async Task A_handler_that_throws_ends_the_connection_above_it_and_no_other()
    {
        var waits = new Gate("somebody waits for bytes");
        var above = new TaskCompletionSource<string>();
        bool faulty = true;
        await using TransportHost host = await TransportHost.StartAsync(Answer, loops: 1, configure: o => o.Use(next => async connection =>
        {
            if (!faulty)
            {
                await next(connection);
                return;
            }
            // What waits for bytes is continued by the socket's event handler, and this one fails in its face.
            ValueTask<ReadResult> reading = connection.Transport.Input.ReadAsync();
            reading.GetAwaiter().UnsafeOnCompleted(static () => throw new InvalidOperationException("a bug"));
            waits.Open();
            var closed = new TaskCompletionSource();
            await using (connection.ConnectionClosed.UnsafeRegister(static c => ((TaskCompletionSource)c!).SetResult(), closed)) await closed.Task;
            await ((EpollConnection)connection).Loop.Switch();
            try
            {
                _ = await connection.Transport.Input.ReadAsync();
                above.SetResult("it can still be read");
            }
            catch (ConnectionAbortedException told)
            {
                above.SetResult(told.InnerException!.Message);
            }
        }));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(host.Address);
        await waits.PassAsync();
        await client.SendAsync("x");
        Assert.Equal("a bug", await Eventually.Within("the connection above is told", above.Task));
        Assert.Equal(WireEnd.Reset, (await client.ReadEndAsync()).End);
        await Eventually.Until("the socket is closed", () => host.OpenConnections == 0);

        faulty = false;
        await using RawHttpClient other = await RawHttpClient.ConnectAsync(host.Address);
        Assert.Equal("ok", (await other.RequestAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).Text);
    }

    private sealed class Throwing(List<Exception?> told) : SocketEvents
    {
        public override void OnEvents(uint events) => throw new InvalidOperationException("a bug");

        public override void OnLost(Exception? fault)
        {
            told.Add(fault);
            throw new InvalidOperationException("and another");
        }
    }

    private sealed class Recording(List<Exception?> told) : SocketEvents
    {
        public override void OnEvents(uint events)
        {
        }

        public override void OnLost(Exception? fault) => told.Add(fault);
    }

    private static int NewSocket() => Libc.Socket(Libc.AfInet, Libc.SockStreamNonBlockCloExec, 0);

    [Fact]
    public async Task A_sink_is_told_once_and_its_socket_closed_even_when_it_throws_at_that_too()
    {
        var loop = new EventLoop("test", NullLogger.Instance);
        loop.Start();
        var told = new List<Exception?>();
        await loop.Switch();
        // An unconnected socket hangs up at once.
        LoopSocket socket = loop.Add(NewSocket(), new Throwing(told));
        await Eventually.Until("the socket is closed", () => socket.Fd < 0);
        Assert.Equal("a bug", Assert.Single(told)!.Message);
        Assert.Equal(0, loop.OpenSockets);
        loop.Stop();
    }

    [Fact]
    public async Task The_end_of_a_loop_is_told_to_whoever_is_on_it_and_leaves_nobody_waiting()
    {
        var loop = new EventLoop("test", NullLogger.Instance);
        loop.Start();
        await using RawOrigin origin = RawOrigin.Start(async c => await c.WaitForEndAsync());
        var told = new List<Exception?>();
        await loop.Switch();
        LoopSocket socket = loop.Add(NewSocket(), new Recording(told));
        (LoopConnection connection, ValueTask<bool> connected) = LoopConnection.Connect(loop, new IPEndPoint(IPAddress.Loopback, origin.Port));
        Assert.True(await connected);
        ValueTask<int> receiving = connection.ReceiveAsync(new byte[1]);
        await Task.Yield();

        await Task.Run(loop.Stop);

        Assert.Null(Assert.Single(told));
        Assert.Equal(-1, socket.Fd);
        Assert.Equal(LoopConnection.Reset, await receiving);
        // Whoever comes later is not left waiting, and gets nothing more.
        var ran = new TaskCompletionSource<EventLoop?>(TaskCreationOptions.RunContinuationsAsynchronously);
        loop.Post(_ => ran.SetResult(EventLoop.Current), null);
        Assert.Same(loop, await Eventually.Within("what was posted late", ran.Task));
        await loop.Switch();
        int fd = NewSocket();
        Assert.Throws<EventLoopException>(() => loop.Add(fd, new Recording(told)));
        (LoopConnection late, ValueTask<bool> never) = LoopConnection.Connect(loop, new IPEndPoint(IPAddress.Loopback, origin.Port));
        Assert.False(await never);
        Assert.False(late.IsOpen);
        Assert.Equal(0, loop.OpenSockets);
    }

    [Fact]
    public async Task A_transport_that_ends_under_its_server_ends_the_servers_connections()
    {
        var entered = new Gate("the request is there");
        var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using TransportHost host = await TransportHost.StartAsync(async features =>
        {
            CancellationToken aborted = features.Get<IHttpRequestLifetimeFeature>()!.RequestAborted;
            await using CancellationTokenRegistration registration = aborted.UnsafeRegister(static g => ((TaskCompletionSource)g!).SetResult(), gone);
            entered.Open();
            await gone.Task;
        });
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(host.Address);
        await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        await entered.PassAsync();
        host.Transport.Dispose();
        await Eventually.Within("the request is told", gone.Task);
        Assert.Equal("", (await client.ReadEndAsync()).Remainder);
    }

    [Fact]
    public async Task Posts_that_race_with_the_end_of_the_loop_all_run()
    {
        for (int round = 0; round < 50; round++)
        {
            var loop = new EventLoop("test", NullLogger.Instance);
            loop.Start();
            int ran = 0;
            Task[] posting = [.. Enumerable.Range(0, 3).Select(_ => Task.Run(() =>
            {
                for (int i = 0; i < 200; i++) loop.Post(_ => Interlocked.Increment(ref ran), null);
            }))];
            loop.Stop();
            await Task.WhenAll(posting);
            await Eventually.Until("all that was posted has run", () => Volatile.Read(ref ran) == 600);
        }
    }

    [Fact]
    public async Task A_loop_that_does_not_turn_is_counted_once_for_each_stall()
    {
        using var transport = new EpollTransport(2, NullLogger.Instance);
        EventLoop loop = transport.Loops[1];
        foreach (EventLoop each in transport.Loops) each.EnsureStarted();
        LoopWatchdog watchdog = transport.Watchdog;
        string Stalls() => string.Join(' ', watchdog.Stalls().Select(static s => $"{s.Loop}={s.Stalls}"));

        for (int stall = 1; stall <= 2; stall++)
        {
            using var blocked = new ManualResetEventSlim();
            loop.Post(static gate => ((ManualResetEventSlim)gate!).Wait(), blocked);
            await Eventually.Until("the loop is at it", () => loop.BusySince != 0);
            long since = loop.BusySince;
            watchdog.Look(since + LoopWatchdog.StallMilliseconds - 1);
            Assert.Equal($"loop-0=0 loop-1={stall - 1}", Stalls());
            watchdog.Look(since + LoopWatchdog.StallMilliseconds);
            watchdog.Look(since + 10 * LoopWatchdog.StallMilliseconds);
            Assert.Equal($"loop-0=0 loop-1={stall}", Stalls());
            blocked.Set();
            // The next stall must not seem to be this one.
            await Eventually.Until("the loop turns", () => loop.BusySince == 0 && Environment.TickCount64 > since);
            watchdog.Look(Environment.TickCount64);
        }
    }

    [Fact]
    public async Task The_watchdog_looks_by_itself()
    {
        await using TransportHost host = await TransportHost.StartAsync(Answer, loops: 1);
        using var blocked = new ManualResetEventSlim();
        host.Transport.Loops[0].Post(static gate => ((ManualResetEventSlim)gate!).Wait(), blocked);
        await Eventually.Until("the stall is counted", () => host.Transport.Watchdog.Stalls().Single().Stalls == 1);
        blocked.Set();
    }

    [Fact]
    public async Task Accepted_connections_send_at_once_and_probe_a_silent_peer()
    {
        (bool NoDelay, object? KeepAlive) options = default;
        await using TransportHost host = await TransportHost.StartAsync(features =>
        {
            int fd = ((EpollConnection)features.Get<ILoopFeature>()!).Socket.Fd;
            using var socket = new Socket(new SafeSocketHandle(fd, ownsHandle: false));
            options = (socket.NoDelay, socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive));
            return Answer(features);
        });
        Assert.Equal(200, (await RawHttpClient.OnceAsync(host.Address, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).Status);
        Assert.Equal((true, (object)1), options);
    }
}
