using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;

namespace Gateway.DataPlane.Transport;

/// <summary>One listen address: a listen socket per loop, and the queue of accepted connections that Kestrel takes from.</summary>
internal sealed class EpollListener(EpollTransport transport, EndPoint endPoint) : IConnectionListener
{
    // The kernel bounds it by net.core.somaxconn; a full one drops handshakes, so ask for plenty.
    private const int Backlog = 65535;

    private readonly Channel<ConnectionContext> _accepted =
        Channel.CreateUnbounded<ConnectionContext>(new UnboundedChannelOptions { SingleReader = true });
    private readonly List<(EventLoop Loop, Acceptor Acceptor)> _acceptors = [];
    private bool _unbound;

    public EndPoint EndPoint { get; private set; } = endPoint;

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
        for (int i = 0; i < sockets.Count; i++)
        {
            EventLoop loop = transport.Loops[i];
            await loop.Switch();
            _acceptors.Add((loop, new Acceptor(this, loop, sockets[i])));
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
        if (family != Libc.AfUnix) Libc.SetFlag(fd, Libc.SolSocket, Libc.SoReuseAddr);
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
        private bool _outOfDescriptors;

        public Acceptor(EpollListener listener, EventLoop loop, int fd)
        {
            _listener = listener;
            _loop = loop;
            // Level-triggered: what one turn leaves, the next is told of.
            _socket = loop.Add(fd, this, Libc.EpollIn);
        }

        public override void OnEvents(uint events) => Accept(PerTurn);

        public override void OnSweep(long nowMilliseconds)
        {
            if (!_outOfDescriptors) return;
            _outOfDescriptors = false;
            _loop.Register(_socket, Libc.EpollIn);
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
                    if (error is Libc.Emfile or Libc.Enfile or Libc.Enobufs or Libc.Enomem && !_outOfDescriptors)
                    {
                        // Level-triggered and unable to accept would spin: look away until the next sweep.
                        _outOfDescriptors = true;
                        _loop.Silence(_socket);
                    }
                    if (error == Libc.Eintr) continue;
                    return;
                }
                bool tcp = _listener.EndPoint is IPEndPoint;
                if (tcp) Libc.SetFlag(fd, Libc.IpProtoTcp, Libc.TcpNoDelay);
                EndPoint? remote = tcp ? SocketAddress.Read(new ReadOnlySpan<byte>(address, SocketAddress.MaxLength)) : null;
                var connection = new EpollConnection(_loop, fd, remote, tcp ? null : _listener.EndPoint);
                if (!_listener._accepted.Writer.TryWrite(connection)) connection.Abort(new ConnectionAbortedException("The listener was closed."));
            }
        }
    }
}
