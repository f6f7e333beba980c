using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Transport;

/// <summary>
/// Kestrel's transport on event loops: for each listener every loop has a listen socket of its own (SO_REUSEPORT), so the kernel spreads
/// connections and no accept is shared. The loops live as long as this object. Linux only.
/// </summary>
internal sealed class EpollTransport : IConnectionListenerFactory, IConnectionListenerFactorySelector, IDisposable
{
    private readonly ILogger _logger;

    public EpollTransport(int loops, ILogger logger)
    {
        _logger = logger;
        ArgumentOutOfRangeException.ThrowIfLessThan(loops, 1);
        Loops = new EventLoop[loops];
        for (int i = 0; i < loops; i++)
        {
            Loops[i] = new EventLoop($"loop-{i}", logger, i);
        }
        Watchdog = new LoopWatchdog(Loops, logger);
    }

    public EventLoop[] Loops { get; }

    public LoopWatchdog Watchdog { get; }

    /// <summary>Of all its listeners.</summary>
    public AcceptGate Gate { get; } = new();

    public bool CanBind(EndPoint endpoint) => endpoint is IPEndPoint or UnixDomainSocketEndPoint;

    /// <exception cref="AddressInUseException">Another socket listens there, also one of another process that shares its port.</exception>
    /// <exception cref="System.Net.Sockets.SocketException">The system refuses.</exception>
    public async ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        // Not before there is something to do: who only compiles a document needs no threads.
        foreach (EventLoop loop in Loops) loop.EnsureStarted();
        Watchdog.EnsureStarted();
        var listener = new EpollListener(this, endpoint, _logger);
        await listener.StartAsync();
        return listener;
    }

    public void Dispose()
    {
        foreach (EventLoop loop in Loops) loop.Stop();
        Watchdog.Stop();
    }
}
