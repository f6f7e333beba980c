using System.Net.Sockets;

namespace Gateway.Bench.Load;

/// <summary>Takes what is logged to a datagram socket and forgets it, as cheaply as a log daemon could. On the load's core, as everything that is no contestant.</summary>
internal sealed class Syslog : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
    private long _lines;

    public Syslog(string path)
    {
        _socket.ReceiveBufferSize = 4 << 20;
        _socket.Bind(new UnixDomainSocketEndPoint(path));
        new Thread(Read) { IsBackground = true }.Start();
    }

    /// <summary>So that a contestant which is said to log does.</summary>
    public long Lines => Interlocked.Read(ref _lines);

    private void Read()
    {
        byte[] line = new byte[8192];
        try
        {
            while (_socket.Receive(line) >= 0) Interlocked.Increment(ref _lines);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The end.
        }
    }

    public void Dispose() => _socket.Dispose();
}
