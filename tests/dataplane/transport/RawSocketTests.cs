using System.Net;
using System.Net.Sockets;
using System.Text;
using Gateway.DataPlane.Transport;
using Gateway.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;
using SocketAddress = Gateway.DataPlane.Transport.SocketAddress;

namespace Gateway.DataPlane.Tests.Transport;

/// <summary>What listeners that are not HTTP's find on the loops: datagrams, and connections without any server above them.</summary>
public sealed class RawSocketTests
{
    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public async Task Datagrams_are_received_with_their_sender_and_answered_to_it(string host)
    {
        IPAddress address = IPAddress.Parse(host);
        Assert.SkipUnless(address.AddressFamily == AddressFamily.InterNetwork || Socket.OSSupportsIPv6, "this machine has no IPv6 loopback");
        var loop = new EventLoop("datagrams", NullLogger.Instance);
        loop.Start();
        var echo = new DatagramEcho();
        await loop.Switch();
        echo.Socket = DatagramSocket.Bind(loop, new IPEndPoint(address, 0), echo);
        EndPoint local = SocketAddress.LocalOf(echo.Socket.Fd)!;
        await Task.Yield();
        try
        {
            using var one = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            using var other = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            foreach (Socket client in (Socket[])[one, other])
            {
                client.Bind(new IPEndPoint(address, 0));
                // Three at once: the edge is told once.
                foreach (string text in (string[])["one", "", "three"]) await client.SendToAsync(Encoding.ASCII.GetBytes(text), local);
            }
            foreach (Socket client in (Socket[])[one, other])
            {
                foreach (string text in (string[])["one", "", "three"])
                {
                    byte[] buffer = new byte[100];
                    SocketReceiveFromResult received = await Eventually.Within("an answer", client.ReceiveFromAsync(buffer, local));
                    Assert.Equal($"{client.LocalEndPoint} {text}", Encoding.ASCII.GetString(buffer, 0, received.ReceivedBytes));
                    Assert.Equal(local, received.RemoteEndPoint);
                }
            }
        }
        finally
        {
            loop.Stop();
        }
        Assert.Equal(-1, echo.Socket.Fd);
    }

    [Fact]
    public async Task A_port_that_another_socket_has_is_refused_with_its_reason()
    {
        var loop = new EventLoop("datagrams", NullLogger.Instance);
        loop.Start();
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        await loop.Switch();
        SocketException refused = Assert.ThrowsAny<SocketException>(() => DatagramSocket.Bind(loop, (IPEndPoint)taken.LocalEndPoint!, new DatagramEcho()));
        Assert.Equal(SocketError.AddressAlreadyInUse, refused.SocketErrorCode);
        Assert.Equal(0, loop.OpenSockets);
        await Task.Yield();
        loop.Stop();
    }

    [Fact]
    public async Task A_connection_is_served_by_a_sink_alone()
    {
        var loop = new EventLoop("raw", NullLogger.Instance);
        loop.Start();
        await loop.Switch();
        var acceptor = new Acceptor(loop);
        var local = (IPEndPoint)SocketAddress.LocalOf(acceptor.Socket.Fd)!;
        await Task.Yield();
        try
        {
            await using RawHttpClient client = await RawHttpClient.ConnectAsync(new Uri($"http://{local}"));
            foreach (string text in (string[])["first", "second"])
            {
                await client.SendAsync(text);
                Assert.Equal(text.ToUpperInvariant(), Encoding.ASCII.GetString(await client.ReadAsync(text.Length)));
            }
            client.HalfClose();
            Assert.Equal(WireEnd.Closed, (await client.ReadEndAsync()).End);
            await Eventually.Until("the loop has the listener alone", () => loop.OpenSockets == 1);
        }
        finally
        {
            loop.Stop();
        }
    }

    /// <summary>Answers each datagram with who sent it, and itself.</summary>
    private sealed class DatagramEcho : SocketEvents
    {
        public LoopSocket Socket { get; set; } = null!;

        public override void OnEvents(uint events)
        {
            Span<byte> buffer = stackalloc byte[2048], from = stackalloc byte[SocketAddress.MaxLength];
            while (Socket.ReceiveFrom(buffer, from, out int length) is >= 0 and int n)
            {
                byte[] answer = [.. Encoding.ASCII.GetBytes($"{SocketAddress.Read(from)} "), .. buffer[..n]];
                Assert.Equal(answer.Length, Socket.SendTo(answer, from[..length]));
            }
        }
    }

    private sealed class Acceptor : SocketEvents
    {
        private readonly EventLoop _loop;

        public Acceptor(EventLoop loop)
        {
            _loop = loop;
            int fd = Libc.Socket(Libc.AfInet, Libc.SockStreamNonBlockCloExec, 0);
            Assert.Equal(0, Libc.Listen(fd, 10));
            Socket = loop.Add(fd, this, Libc.EpollIn | Libc.EpollEdge);
        }

        public LoopSocket Socket { get; }

        public override void OnEvents(uint events)
        {
            for (int fd; (fd = Libc.Accept(Socket.Fd)) >= 0;)
            {
                var echo = new StreamEcho();
                echo.Socket = _loop.Add(fd, echo);
            }
        }
    }

    private sealed class StreamEcho : SocketEvents
    {
        public LoopSocket Socket { get; set; } = null!;

        public override void OnEvents(uint events)
        {
            Span<byte> buffer = stackalloc byte[256];
            int n;
            while ((n = Socket.Receive(buffer)) > 0)
            {
                Encoding.ASCII.GetBytes(Encoding.ASCII.GetString(buffer[..n]).ToUpperInvariant(), buffer);
                Assert.Equal(n, Socket.Send(buffer[..n]));
            }
            if (n != LoopSocket.Again) Socket.Loop.Close(Socket);
        }
    }
}
