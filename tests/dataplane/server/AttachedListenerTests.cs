using System.Net;
using Gateway.DataPlane.Server;
using Gateway.DataPlane.Transport;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Gateway.DataPlane.Tests.Server;

public sealed class AttachedListenerTests
{
    private sealed class OnLoop(EventLoop loop) : ILoopFeature
    {
        public EventLoop Loop => loop;
        public bool IsPeerGone => false;
        public object[] Touched { get; set; } = [];
        public IDepartureWatcher? Watcher { get; set; }
    }

    private readonly ConnectionSet _connections = new();
    private readonly AttachedListener _listener;
    private readonly DefaultConnectionContext _connection = new("test");
    private int _inFront;

    public AttachedListenerTests()
    {
        _listener = new AttachedListener(new IPEndPoint(IPAddress.Loopback, 1), _connections) { Front = (_, _) => _inFront++ };
        _connection.Features.Set<ILoopFeature>(new OnLoop(new EventLoop("never started", NullLogger.Instance)));
    }

    [Fact]
    public async Task WhatIsInFront_IsHandedOver_AlsoWhileTheServerTakesNothingNew()
    {
        Assert.True(_listener.TryHand(_connection));
        Assert.Equal(1, _inFront);
        _listener.Complete();
        Assert.False(_listener.TryHand(_connection));
        Assert.True(_listener.TryHandOver(_connection));
        Assert.Same(_connection, await _listener.AcceptAsync());
        Assert.Null(await _listener.AcceptAsync());
        Assert.Equal(1, _connections.Open);
    }

    [Fact]
    public async Task WhatAStoppedServerDoesNotTake_StaysInFront()
    {
        Assert.True(_listener.TryHand(_connection));
        await _listener.UnbindAsync();
        Assert.False(_listener.TryHandOver(_connection));
        // Closed there, and counted out once.
        _listener.LeftFront();
        Assert.Null(await _listener.AcceptAsync());
    }
}
