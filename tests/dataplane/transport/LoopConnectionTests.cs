using System.Net;
using System.Net.Sockets;
using System.Text;
using Gateway.DataPlane.Transport;
using Gateway.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Gateway.DataPlane.Tests.Transport;

public sealed class LoopConnectionTests : IDisposable
{
    private readonly EventLoop _loop = new("test", NullLogger.Instance);

    public LoopConnectionTests() => _loop.Start();

    public void Dispose() => _loop.Stop();

    /// <summary>To be called on the loop: begun elsewhere, it might end before it is awaited, and its caller would go on where it was.</summary>
    private async Task<LoopConnection> ConnectAsync(int port, LoopPool? pool = null)
    {
        Assert.Same(_loop, EventLoop.Current);
        (LoopConnection connection, ValueTask<bool> connected) = LoopConnection.Connect(_loop, new IPEndPoint(IPAddress.Loopback, port), pool);
        Assert.True(await connected);
        return connection;
    }

    private static async Task<string> ReadAsync(LoopConnection connection, int bytes)
    {
        var buffer = new byte[bytes];
        int at = 0;
        while (at < bytes)
        {
            int n = await connection.ReceiveAsync(buffer.AsMemory(at));
            if (n <= 0) return $"ended with {n} after '{Encoding.ASCII.GetString(buffer, 0, at)}'";
            at += n;
        }
        return Encoding.ASCII.GetString(buffer);
    }

    [Fact]
    public async Task What_is_sent_arrives_and_what_is_answered_is_received_on_the_loop()
    {
        await using RawOrigin origin = RawOrigin.Start(async c => await c.SendAsync((await c.ReadAsync(4)).Reverse().ToArray()));
        await _loop.Switch();
        LoopConnection connection = await ConnectAsync(origin.Port);
        Assert.True(await connection.SendAsync("abcd"u8.ToArray()));
        Assert.Equal("dcba", await ReadAsync(connection, 4));
        Assert.Same(_loop, EventLoop.Current);
        connection.Close(reset: false);
        Assert.Equal(0, _loop.OpenSockets);
    }

    [Fact]
    public async Task A_connect_that_is_given_up_fails_and_one_that_has_succeeded_stays_open()
    {
        await using RawOrigin origin = RawOrigin.Start(async c => await c.SendAsync(await c.ReadAsync(1)));
        await _loop.Switch();
        (LoopConnection early, ValueTask<bool> connected) = LoopConnection.Connect(_loop, new IPEndPoint(IPAddress.Loopback, origin.Port));
        // The loop has had no turn since: it cannot have seen the connect succeed.
        Assert.False(connected.IsCompleted);
        early.AbortConnect();
        Assert.False(await connected);
        Assert.False(early.IsOpen);

        LoopConnection late = await ConnectAsync(origin.Port);
        // As a timeout does that strikes in the very moment.
        await Task.Run(late.AbortConnect);
        await _loop.Switch();
        await _loop.Yield();
        Assert.True(late.IsOpen);
        Assert.True(await late.SendAsync("x"u8.ToArray()));
        Assert.Equal("x", await ReadAsync(late, 1));
        late.Close(reset: false);
    }

    [Fact]
    public async Task A_refused_connection_says_so()
    {
        using var closed = new TcpListener(IPAddress.Loopback, 0);
        closed.Start();
        int port = ((IPEndPoint)closed.LocalEndpoint).Port;
        closed.Stop();
        await _loop.Switch();
        (LoopConnection connection, ValueTask<bool> connected) = LoopConnection.Connect(_loop, new IPEndPoint(IPAddress.Loopback, port));
        Assert.False(await connected);
        Assert.Equal(111, connection.ConnectError);
        Assert.False(connection.IsOpen);
        Assert.Equal(0, _loop.OpenSockets);
    }

    [Fact]
    public async Task A_large_send_waits_for_the_reader_and_nothing_is_lost()
    {
        var read = new Gate("the origin may read");
        const int total = 32 << 20;
        int received = 0;
        await using RawOrigin origin = RawOrigin.Start(async c =>
        {
            await read.PassAsync();
            while (received < total) received += (await c.ReadSomeAsync()).Length;
            await c.SendAsync("done");
        });
        await _loop.Switch();
        LoopConnection connection = await ConnectAsync(origin.Port);
        ValueTask<bool> sent = connection.SendAsync(new byte[total]);
        Assert.False(sent.IsCompleted);
        read.Open();
        Assert.True(await sent);
        Assert.Equal("done", await ReadAsync(connection, 4));
        Assert.Equal(total, received);
        connection.Close(reset: false);
    }

    [Fact]
    public async Task An_end_and_a_reset_are_told_apart()
    {
        await using RawOrigin origin = RawOrigin.Start(async c =>
        {
            byte[] order = await c.ReadAsync(1);
            if (order[0] == 'r') c.Reset();
            else c.Close();
        });
        await _loop.Switch();
        LoopConnection ends = await ConnectAsync(origin.Port);
        Assert.True(await ends.SendAsync("e"u8.ToArray()));
        Assert.Equal("ended with 0 after ''", await ReadAsync(ends, 1));
        ends.Close(reset: false);

        LoopConnection resets = await ConnectAsync(origin.Port);
        Assert.True(await resets.SendAsync("r"u8.ToArray()));
        Assert.Equal($"ended with {LoopConnection.Reset} after ''", await ReadAsync(resets, 1));
        resets.Close(reset: false);
    }

    [Fact]
    public async Task An_abort_from_another_thread_ends_what_waits()
    {
        await using RawOrigin origin = RawOrigin.Start(async c => await c.WaitForEndAsync());
        await _loop.Switch();
        LoopConnection connection = await ConnectAsync(origin.Port);
        ValueTask<int> receive = connection.ReceiveAsync(new byte[8]);
        await Task.Run(connection.Abort);
        Assert.Equal(LoopConnection.Reset, await receive);
        await Eventually.Until("the origin sees the reset", () => origin.ResetsSeen == 1);
    }

    [Fact]
    public async Task The_pool_gives_the_last_one_back_first_and_drops_what_the_peer_closed()
    {
        await using RawOrigin origin = RawOrigin.Start(async c =>
        {
            byte[] order = await c.ReadAsync(1);
            if (order[0] == 'c') c.Close();
            else if (order[0] == 'g') await c.SendAsync("garbage");
            else await c.WaitForEndAsync();
        });
        var pool = new LoopPool(long.MaxValue, long.MaxValue, mostIdle: 256);
        await _loop.Switch();
        LoopConnection[] connections = [await ConnectAsync(origin.Port, pool), await ConnectAsync(origin.Port, pool), await ConnectAsync(origin.Port, pool)];
        Assert.Equal(3, pool.OpenConnections);
        foreach (LoopConnection connection in connections) pool.Return(connection);
        Assert.Same(connections[2], pool.TryTake());
        Assert.True(connections[2].Reused);
        pool.Return(connections[2]);

        Assert.Same(connections[2], pool.TryTake());
        Assert.True(await connections[2].SendAsync("c"u8.ToArray()));
        pool.Return(connections[2]);
        Assert.Same(connections[1], await TakeAfter(() => pool.IdleConnections == 2));
        Assert.True(await connections[1].SendAsync("g"u8.ToArray()));
        pool.Return(connections[1]);
        Assert.Same(connections[0], await TakeAfter(() => pool.IdleConnections == 1));
        Assert.Equal(1, pool.OpenConnections);
        pool.Return(connections[0]);
        pool.CloseIdle();
        Assert.Equal((0, 0), (pool.OpenConnections, _loop.OpenSockets));

        async Task<LoopConnection?> TakeAfter(Func<bool> condition)
        {
            await Eventually.Until("the pool has noticed", condition);
            await _loop.Switch();
            return pool.TryTake();
        }
    }

    [Fact]
    public async Task An_idle_connection_is_closed_after_its_time()
    {
        await using RawOrigin origin = RawOrigin.Start(async c => await c.WaitForEndAsync());
        var pool = new LoopPool(1, long.MaxValue, mostIdle: 256);
        await _loop.Switch();
        pool.Return(await ConnectAsync(origin.Port, pool));
        await Eventually.Until("the sweep has closed it", () => pool.OpenConnections == 0);
    }
}
