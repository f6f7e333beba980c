using System.Net;
using System.Threading.Channels;
using Gateway.DataPlane.Transport;
using Microsoft.AspNetCore.Connections;

namespace Gateway.DataPlane.Server;

/// <summary>What one server sees of a <see cref="ListenSocket"/>: connections as long as it is attached, and then no more.</summary>
internal sealed class AttachedListener(EndPoint endPoint, ConnectionSet connections) : IConnectionListener
{
    // The accept loop continues inside the write: it only queues the connection, so a hop to another thread would be waste.
    private readonly Channel<ConnectionContext> _connections = Channel.CreateUnbounded<ConnectionContext>(
        new UnboundedChannelOptions { SingleReader = true, SingleWriter = false, AllowSynchronousContinuations = true });

    private readonly Lock _gate = new();
    private int _inFront;
    private bool _completed;

    public EndPoint EndPoint { get; } = endPoint;

    /// <summary>
    /// Serves connections of event loops before the server sees them; null: the server gets all. It calls <see cref="TryHandOver"/> for one
    /// that needs the server, and <see cref="LeftFront"/> for one that did not come to it.
    /// </summary>
    public Action<ConnectionContext, EventLoop>? Front { get; set; }

    /// <summary>False once it has been completed: the connection is still the caller's.</summary>
    public bool TryHand(ConnectionContext connection)
    {
        connections.Entered();
        if (Front is { } front && connection.Features.Get<ILoopFeature>() is { } onLoop)
        {
            if (TryEnterFront())
            {
                front(connection, onLoop.Loop);
                return true;
            }
        }
        else if (_connections.Writer.TryWrite(connection)) return true;
        connections.Left();
        return false;
    }

    /// <summary>From the front to the server. False when the server takes none any more: the connection is still the front's, to be closed.</summary>
    public bool TryHandOver(ConnectionContext connection)
    {
        if (!_connections.Writer.TryWrite(connection)) return false;
        LeftFront();
        return true;
    }

    /// <summary>One less in front.</summary>
    public void LeftFront()
    {
        bool last;
        lock (_gate) last = --_inFront == 0 && _completed;
        if (last) _connections.Writer.TryComplete();
    }

    /// <summary>Nothing more comes but what is in front. What was handed over before is still accepted.</summary>
    public void Complete()
    {
        bool last;
        lock (_gate)
        {
            _completed = true;
            last = _inFront == 0;
        }
        if (last) _connections.Writer.TryComplete();
    }

    private bool TryEnterFront()
    {
        lock (_gate)
        {
            if (_completed) return false;
            _inFront++;
            return true;
        }
    }

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        ChannelReader<ConnectionContext> reader = _connections.Reader;
        while (true)
        {
            if (reader.TryRead(out ConnectionContext? connection)) return connection;
            if (!await reader.WaitToReadAsync(cancellationToken)) return null;
        }
    }

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        Complete();
        _connections.Writer.TryComplete();
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await UnbindAsync();
        while (_connections.Reader.TryRead(out ConnectionContext? connection))
        {
            await connection.DisposeAsync();
            if (connection.Features.Get<HandedOver>() is { } handed) handed.End();
            else connections.Left();
        }
    }
}
