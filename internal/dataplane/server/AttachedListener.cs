using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;

namespace Gateway.DataPlane.Server;

/// <summary>What one server sees of a <see cref="ListenSocket"/>: connections as long as it is attached, and then no more.</summary>
internal sealed class AttachedListener(EndPoint endPoint, ConnectionSet connections) : IConnectionListener
{
    // The accept loop continues inside the write: it only queues the connection, so a hop to another thread would be waste.
    private readonly Channel<ConnectionContext> _connections = Channel.CreateUnbounded<ConnectionContext>(
        new UnboundedChannelOptions { SingleReader = true, SingleWriter = false, AllowSynchronousContinuations = true });

    public EndPoint EndPoint { get; } = endPoint;

    /// <summary>False once it has been completed: the connection is still the caller's.</summary>
    public bool TryHand(ConnectionContext connection)
    {
        connections.Entered();
        if (_connections.Writer.TryWrite(connection)) return true;
        connections.Left();
        return false;
    }

    /// <summary>Nothing more comes. What was handed over before is still accepted.</summary>
    public void Complete() => _connections.Writer.TryComplete();

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
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        Complete();
        while (_connections.Reader.TryRead(out ConnectionContext? connection))
        {
            await connection.DisposeAsync();
            connections.Left();
        }
    }
}
