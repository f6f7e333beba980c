using System.Net;

namespace Gateway.DataPlane.Transport;

/// <summary>
/// A UDP socket on an event loop. It is received from and sent to by addresses as the kernel writes them, which an answer copies as they
/// are; <see cref="SocketAddress"/> reads them. Each loop can have its own for one address: the kernel spreads peers over them.
/// </summary>
internal static unsafe class DatagramSocket
{
    /// <summary>Binds one. On the loop's thread only; the loop closes it.</summary>
    /// <param name="loop">Where it lives.</param>
    /// <param name="endPoint">The local address; port 0 for one that the system chooses.</param>
    /// <param name="sink">Is told of its events, edge-triggered: it receives until there is nothing.</param>
    /// <exception cref="System.Net.Sockets.SocketException">The system refuses.</exception>
    /// <exception cref="EventLoopException">The loop refuses; the socket is closed.</exception>
    public static LoopSocket Bind(EventLoop loop, IPEndPoint endPoint, SocketEvents sink)
    {
        Span<byte> address = stackalloc byte[SocketAddress.MaxLength];
        int length = SocketAddress.Write(endPoint, address, out int family);
        int fd = Libc.Socket(family, Libc.SockDatagramNonBlockCloExec, 0);
        if (fd < 0) throw Errno.ToException(Libc.Errno);
        // A port of the system's choice is not to be one that another socket shares.
        if (endPoint.Port != 0) Libc.SetFlag(fd, Libc.SolSocket, Libc.SoReusePort);
        fixed (byte* start = address)
        {
            if (Libc.Bind(fd, start, length) == 0) return loop.Add(fd, sink, Libc.EpollIn | Libc.EpollOut | Libc.EpollEdge);
        }
        int error = Libc.Errno;
        _ = Libc.Close(fd);
        throw Errno.ToException(error);
    }
}
