using System.Net;
using Gateway.DataPlane.Transport;
using Gateway.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Gateway.DataPlane.Tests.Transport;

public sealed class ConnectionPermitsTests : IDisposable
{
    private readonly EventLoop[] _loops = [new("first", NullLogger.Instance), new("second", NullLogger.Instance, 1)];

    public ConnectionPermitsTests()
    {
        foreach (EventLoop loop in _loops) loop.Start();
    }

    public void Dispose()
    {
        foreach (EventLoop loop in _loops) loop.Stop();
    }

    private static async Task<LoopConnection> ConnectAsync(EventLoop loop, RawOrigin origin)
    {
        await loop.Switch();
        (LoopConnection connection, ValueTask<bool> connected) = LoopConnection.Connect(loop, new IPEndPoint(IPAddress.Loopback, origin.Port));
        Assert.True(await connected);
        return connection;
    }

    [Fact]
    public void NoMoreAreTaken_ThanThereAre()
    {
        ConnectionPermits permits = new(2);
        Assert.True(permits.TryTake());
        Assert.True(permits.TryTake());
        Assert.False(permits.TryTake());
        permits.Return();
        Assert.True(permits.TryTake());
        Assert.False(permits.TryTake());
    }

    [Fact]
    public async Task WhoWaits_IsServedInTurn_AndNobodyOvertakes()
    {
        ConnectionPermits permits = new(1);
        Assert.True(permits.TryTake());
        Task<LoopConnection?> first = permits.TakeAsync(_loops[0], CancellationToken.None), second = permits.TakeAsync(_loops[1], CancellationToken.None);
        Assert.True(permits.HasWaiters);
        permits.Return();
        Assert.Null(await Eventually.Within("the first's turn", first));
        Assert.False(permits.TryTake());
        Assert.False(second.IsCompleted);
        permits.Return();
        Assert.Null(await Eventually.Within("the second's turn", second));
        Assert.False(permits.HasWaiters);
        permits.Return();
        Assert.True(permits.TryTake());
    }

    [Fact]
    public async Task WhatIsAskedToFreeAPermit_FindsSomebodyInLine()
    {
        ConnectionPermits permits = new(1);
        Assert.True(permits.TryTake());
        // A permit that comes free at any moment from the asking on goes to who waits.
        Task<LoopConnection?> turn = permits.TakeAsync(_loops[0], CancellationToken.None, loop =>
        {
            Assert.Same(_loops[0], loop);
            Assert.True(permits.HasWaiters);
            permits.Return();
        });
        Assert.Null(await Eventually.Within("the turn", turn));
        Assert.False(permits.TryTake());
    }

    [Fact]
    public async Task WhoIsServedAtOnce_AsksNobody()
    {
        ConnectionPermits permits = new(1);
        Assert.Null(await permits.TakeAsync(_loops[0], CancellationToken.None, _ => Assert.Fail("there was a permit")));
    }

    [Fact]
    public async Task WhoGivesUp_LeavesTheLine()
    {
        ConnectionPermits permits = new(1);
        Assert.True(permits.TryTake());
        using var leaves = new CancellationTokenSource();
        Task<LoopConnection?> first = permits.TakeAsync(_loops[0], leaves.Token), second = permits.TakeAsync(_loops[0], CancellationToken.None);
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        permits.Return();
        Assert.Null(await Eventually.Within("the second's turn", second));
        Assert.False(permits.HasWaiters);
    }

    [Fact]
    public async Task AConnection_GoesToTheFirstOfItsOwnLoop_UntilTheFirstOfAllWasPassedOverOftenEnough()
    {
        await using RawOrigin origin = RawOrigin.Start(async c => await c.WaitForEndAsync());
        ConnectionPermits permits = new(1);
        Assert.True(permits.TryTake());
        LoopConnection connection = await ConnectAsync(_loops[0], origin);
        Task<LoopConnection?> other = permits.TakeAsync(_loops[1], CancellationToken.None);
        Assert.False(permits.TryHandOver(connection));
        for (int i = 0; i < 8; i++)
        {
            Task<LoopConnection?> own = permits.TakeAsync(_loops[0], CancellationToken.None);
            Assert.True(permits.TryHandOver(connection), $"{i}");
            Assert.Same(connection, await Eventually.Within("the turn", own));
        }
        Task<LoopConnection?> late = permits.TakeAsync(_loops[0], CancellationToken.None);
        Assert.False(permits.TryHandOver(connection));
        // Given up, its permit is the other's.
        connection.Abort();
        permits.Return();
        Assert.Null(await Eventually.Within("the other's turn", other));
        Assert.False(late.IsCompleted);
    }
}
