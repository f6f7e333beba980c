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
