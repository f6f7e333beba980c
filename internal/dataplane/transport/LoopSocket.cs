namespace Gateway.DataPlane.Transport;

/// <summary>A non-blocking socket registered with an <see cref="EventLoop"/> for as long as it is open.</summary>
internal sealed unsafe class LoopSocket(EventLoop loop, int fd, int slot, uint generation, SocketEvents sink)
{
    public const int Again = -1;
    public const int Broken = -2;

    public EventLoop Loop { get; } = loop;

    /// <summary>-1 once closed. Written by the loop's thread.</summary>
    public int Fd { get; set; } = fd;
    public int Slot { get; } = slot;
    public uint Generation { get; } = generation;

    /// <summary>Who gets the events from now on; changed on the loop's thread only.</summary>
    public SocketEvents Sink { get; set; } = sink;

    /// <summary>What the sink and those above it touch when something happens; read ahead of the events where there are many sockets.</summary>
    public object[] Touched { get; set; } = [];

    /// <summary>Bytes received, 0 at the end of the stream, <see cref="Again"/>, or <see cref="Broken"/>.</summary>
    public int Receive(Span<byte> buffer, int flags = 0)
    {
        fixed (byte* start = buffer)
        {
            while (true)
            {
                nint n = Libc.Receive(Fd, start, buffer.Length, flags);
                if (n >= 0) return (int)n;
                int error = Libc.Errno;
                if (error == Libc.Eintr) continue;
                return error == Libc.Eagain ? Again : Broken;
            }
        }
    }

    /// <summary>A datagram and who sent it: its bytes (0 is an empty one, not an end), <see cref="Again"/>, or <see cref="Broken"/> for an error that concerns an earlier one.</summary>
    /// <param name="buffer">What does not fit is lost.</param>
    /// <param name="from">Of <see cref="SocketAddress.MaxLength"/>: receives the sender's address, as <see cref="SendTo"/> takes it.</param>
    /// <param name="fromLength">Bytes of it.</param>
    public int ReceiveFrom(Span<byte> buffer, Span<byte> from, out int fromLength)
    {
        fixed (byte* start = buffer, address = from)
        {
            while (true)
            {
                int length = from.Length;
                nint n = Libc.ReceiveFrom(Fd, start, buffer.Length, address, &length);
                fromLength = length;
                if (n >= 0) return (int)n;
                int error = Libc.Errno;
                if (error == Libc.Eintr) continue;
                return error == Libc.Eagain ? Again : Broken;
            }
        }
    }

    /// <summary>Sends a datagram: its bytes, <see cref="Again"/> when the kernel has no room now, or <see cref="Broken"/> when it refuses this one.</summary>
    /// <param name="buffer">The datagram; may be empty.</param>
    /// <param name="to">An address of the kernel's form: from <see cref="ReceiveFrom"/>, or written by <see cref="SocketAddress"/>.</param>
    public int SendTo(ReadOnlySpan<byte> buffer, ReadOnlySpan<byte> to)
    {
        fixed (byte* start = buffer, address = to)
        {
            while (true)
            {
                nint n = Libc.SendTo(Fd, start, buffer.Length, address, to.Length);
                if (n >= 0) return (int)n;
                int error = Libc.Errno;
                if (error == Libc.Eintr) continue;
                return error == Libc.Eagain ? Again : Broken;
            }
        }
    }

    /// <summary>Bytes taken by the kernel, <see cref="Again"/>, or <see cref="Broken"/>.</summary>
    public int Send(ReadOnlySpan<byte> buffer)
    {
        fixed (byte* start = buffer)
        {
            while (true)
            {
                nint n = Libc.Send(Fd, start, buffer.Length, Libc.MsgNoSignal);
                if (n >= 0) return (int)n;
                int error = Libc.Errno;
                if (error == Libc.Eintr) continue;
                return error == Libc.Eagain ? Again : Broken;
            }
        }
    }
}
