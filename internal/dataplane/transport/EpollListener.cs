using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Transport;

/// <summary>One listen address: a listen socket per loop, and the queue of accepted connections that Kestrel takes from.</summary>
internal sealed partial class EpollListener(EpollTransport transport, EndPoint endPoint, ILogger logger) : IConnectionListener
{
    // The kernel bounds it by net.core.somaxconn; a full one drops handshakes, so ask for plenty.
    private const int Backlog = 65535;

    private readonly Channel<ConnectionContext> _accepted =
        // Whoever takes them only queues them further: it runs on within the write, on the loop, rather than after a hop to the thread pool.
        Channel.CreateUnbounded<ConnectionContext>(new UnboundedChannelOptions { SingleReader = true, AllowSynchronousContinuations = true });
    private readonly List<(EventLoop Loop, Acceptor Acceptor)> _acceptors = [];
    private readonly ILogger _logger = logger;
    private bool _unbound;

    public EndPoint EndPoint { get; private set; } = endPoint;

    private AcceptGate Gate => transport.Gate;

    /// <summary>The local address of every connection accepted here; null when each has its own, which costs a call to know.</summary>
    private EndPoint? LocalOfAll => EndPoint is IPEndPoint { Address: var address } && (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any)) ? null : EndPoint;

    public async ValueTask StartAsync()
    {
        bool shared = EndPoint is IPEndPoint && transport.Loops.Length > 1;
        var sockets = new List<int>();
        try
        {
            // SO_REUSEPORT would let a second gateway share the port in silence. A socket without it fails where anybody listens.
            int first = Open(EndPoint, reusePort: false);
            if (EndPoint is IPEndPoint { Port: 0 }) EndPoint = SocketAddress.LocalOf(first)!;
            if (shared)
            {
                _ = Libc.Close(first);
                foreach (EventLoop _ in transport.Loops) sockets.Add(Open(EndPoint, reusePort: true));
            }
            else sockets.Add(first);
            foreach (int socket in sockets)
            {
                if (Libc.Listen(socket, Backlog) != 0) throw Failed();
            }
        }
        catch
        {
            foreach (int socket in sockets) _ = Libc.Close(socket);
            throw;
        }
        int taken = 0;
        try
        {
            while (taken < sockets.Count)
            {
                EventLoop loop = transport.Loops[taken];
                await loop.Switch();
                // The descriptor is the loop's, also when it refuses.
                _acceptors.Add((loop, new Acceptor(this, loop, sockets[taken++])));
            }
        }
        catch (EventLoopException refused)
        {
            foreach (int socket in sockets.Skip(taken)) _ = Libc.Close(socket);
            await UnbindAsync();
            throw Errno.ToException(refused.Errno);
        }
        await Task.Yield();
    }

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        while (await _accepted.Reader.WaitToReadAsync(cancellationToken))
        {
            if (_accepted.Reader.TryRead(out ConnectionContext? connection)) return connection;
        }
        return null;
    }

    public async ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        if (_unbound) return;
        _unbound = true;
        foreach ((EventLoop loop, Acceptor acceptor) in _acceptors)
        {
            await loop.Switch();
            acceptor.Close();
        }
        await Task.Yield();
        _accepted.Writer.TryComplete();
    }

    public async ValueTask DisposeAsync()
    {
        await UnbindAsync();
        while (_accepted.Reader.TryRead(out ConnectionContext? connection)) connection.Abort(new ConnectionAbortedException("The listener was closed."));
    }

    private static unsafe int Open(EndPoint endPoint, bool reusePort)
    {
        Span<byte> address = stackalloc byte[SocketAddress.MaxLength];
        int length = SocketAddress.Write(endPoint, address, out int family);
        int fd = Libc.Socket(family, Libc.SockStreamNonBlockCloExec, 0);
        if (fd < 0) throw Failed();
        if (family != Libc.AfUnix)
        {
            Libc.SetFlag(fd, Libc.SolSocket, Libc.SoReuseAddr);
            // Inherited by what is accepted, which saves two calls for each connection.
            Libc.SetFlag(fd, Libc.IpProtoTcp, Libc.TcpNoDelay);
            Libc.SetFlag(fd, Libc.SolSocket, Libc.SoKeepAlive);
        }
        if (reusePort) Libc.SetFlag(fd, Libc.SolSocket, Libc.SoReusePort);
        if (endPoint is IPEndPoint { AddressFamily: AddressFamily.InterNetworkV6 } v6)
        {
            int onlyV6 = v6.Address.Equals(IPAddress.IPv6Any) ? 0 : 1;
            _ = Libc.SetOption(fd, Libc.IpProtoIpv6, Libc.Ipv6V6Only, &onlyV6, sizeof(int));
        }
        int result;
        fixed (byte* start = address) result = Libc.Bind(fd, start, length);
        if (result == 0) return fd;
        Exception failed = Failed();
        _ = Libc.Close(fd);
        throw failed;
    }

    private static Exception Failed()
    {
        SocketException cause = Errno.ToException(Libc.Errno);
        return cause.SocketErrorCode == SocketError.AddressAlreadyInUse ? new AddressInUseException(cause.Message, cause) : cause;
    }

    private sealed class Acceptor : SocketEvents
    {
        // More than one per turn, so that a burst is taken in one go; not all, so that the connections there are stay served.
        private const int PerTurn = 64;

        private readonly EpollListener _listener;
        private readonly EventLoop _loop;
        private readonly LoopSocket _socket;
        private bool _lookingAway;

        public Acceptor(EpollListener listener, EventLoop loop, int fd)
        {
            _listener = listener;
            _loop = loop;
            // Level-triggered: what one turn leaves, the next is told of.
            _socket = loop.Add(fd, this, Libc.EpollIn);
        }

        public override void OnEvents(uint events)
        {
            if (_listener.Gate.IsClosed) LookAway();
            else Accept(PerTurn);
        }

        public override void OnSweep(long nowMilliseconds)
        {
            if (!_lookingAway || _listener.Gate.IsClosed) return;
            try
            {
                _loop.Register(_socket, Libc.EpollIn);
                _lookingAway = false;
            }
            catch (EventLoopException)
            {
                // Still out of something: the next sweep tries again.
            }
        }

        /// <summary>Takes what the kernel has completed already, then closes: those clients were told that they are connected.</summary>
        public void Close()
        {
            if (_socket.Fd >= 0) Accept(int.MaxValue);
            _loop.Close(_socket);
        }

        private unsafe void Accept(int most)
        {
            byte* address = stackalloc byte[SocketAddress.MaxLength];
            for (; most > 0; most--)
            {
                int length = SocketAddress.MaxLength;
                int fd = Libc.Accept(_socket.Fd, address, &length, Libc.NonBlockCloExec);
                if (fd < 0)
                {
                    int error = Libc.Errno;
                    if (error is Libc.Emfile or Libc.Enfile or Libc.Enobufs or Libc.Enomem) LookAway(error);
                    if (error == Libc.Eintr) continue;
                    return;
                }
                bool tcp = _listener.EndPoint is IPEndPoint;
                EndPoint? remote = tcp ? SocketAddress.Read(new ReadOnlySpan<byte>(address, SocketAddress.MaxLength)) : null;
                EpollConnection connection;
                try
                {
                    connection = new EpollConnection(_loop, fd, remote, _listener.LocalOfAll);
                }
                catch (EventLoopException refused)
                {
                    LookAway(refused.Errno);
                    return;
                }
                if (!_listener._accepted.Writer.TryWrite(connection)) connection.Abort(new ConnectionAbortedException("The listener was closed."));
            }
        }

        private void LookAway(int error)
        {
            if (LookAway()) CannotAccept(_listener._logger, _listener.EndPoint, Errno.ToException(error).Message);
        }

        // Level-triggered and not accepting would spin: look away until a sweep, while the backlog holds the clients. False: it does already.
        private bool LookAway()
        {
            if (_lookingAway) return false;
            _lookingAway = true;
            _loop.Silence(_socket);
            return true;
        }
    }

    [LoggerMessage(2003, LogLevel.Error, "Connections to {Address} cannot be accepted: {Error}; trying again in a second")]
    private static partial void CannotAccept(ILogger logger, EndPoint address, string error);
}
