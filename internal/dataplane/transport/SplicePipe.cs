namespace Gateway.DataPlane.Transport;

/// <summary>
/// A pipe of the kernel's, through which bytes go from one socket to another without being copied into this process: what the first has received
/// becomes what the second sends, page by page (splice(2)). One user at a time, on a loop's thread; kept on it for the next.
/// </summary>
internal sealed class SplicePipe
{
    // Two descriptors each. What a loop moves at the same moment is more than this only where most clients are slower than their upstreams.
    private const int MostKept = 64;

    // A page, or what of a packet is in one piece, takes a slot of 4 KB: with the default of 16 a transfer in small packets would be in small steps.
    private const int Capacity = 256 * 1024;

    [ThreadStatic]
    private static Stack<SplicePipe>? _kept;

    // How few were left of them since they were last trimmed: those were not needed.
    [ThreadStatic]
    private static int _fewest;

    private static volatile bool _refused;

    private static int _inUse;

    private readonly int _in;
    private readonly int _out;

    private SplicePipe(int input, int output)
    {
        _in = input;
        _out = output;
    }

    /// <summary>Taken and not returned. Of all loops; from any thread.</summary>
    public static int InUse => Volatile.Read(ref _inUse);

    /// <summary>Kept on this loop for the next.</summary>
    public static int Kept => _kept?.Count ?? 0;

    /// <summary>The system does not do this.</summary>
    public static bool IsRefused => _refused;

    /// <summary>Bytes in it.</summary>
    public int Held { get; private set; }

    /// <summary>Null when there is none to be had: descriptors are scarce, or the system does not do this.</summary>
    public static unsafe SplicePipe? Take()
    {
        if (_refused || EventLoop.Current is null) return null;
        if (_kept is { Count: > 0 } kept)
        {
            SplicePipe pipe = kept.Pop();
            _fewest = Math.Min(_fewest, kept.Count);
            return Use(pipe);
        }
        _fewest = 0;
        int* ends = stackalloc int[2];
        if (Libc.Pipe(ends, Libc.NonBlockCloExec) != 0) return null;
        // Refused where the user has too many pages in pipes: the usual capacity does as well.
        _ = Libc.Control(ends[1], Libc.SetPipeSize, Capacity);
        return Use(new SplicePipe(ends[1], ends[0]));
    }

    private static SplicePipe Use(SplicePipe pipe)
    {
        _ = Interlocked.Increment(ref _inUse);
        LeakTracker.Running?.Taken(pipe);
        return pipe;
    }

    /// <summary>Gives it back. With bytes in it, which now go nowhere, it is closed.</summary>
    public void Return()
    {
        _ = Interlocked.Decrement(ref _inUse);
        LeakTracker.Running?.GivenBack(this);
        Stack<SplicePipe> kept = _kept ??= new Stack<SplicePipe>();
        if (Held == 0 && kept.Count < MostKept && EventLoop.Current is not null)
        {
            kept.Push(this);
            return;
        }
        Close();
    }

    private void Close()
    {
        _ = Libc.Close(_in);
        _ = Libc.Close(_out);
    }

    /// <summary>Takes what the socket has received. As <see cref="LoopSocket.Receive"/>; <see cref="LoopSocket.Again"/> also where it cannot be done so.</summary>
    public int Fill(LoopSocket from, int most)
    {
        int n = Move(from.Fd, _in, most);
        if (n > 0) Held += n;
        return n;
    }

    /// <summary>Sends what is held. As <see cref="LoopSocket.Send"/>.</summary>
    public int Drain(LoopSocket to)
    {
        int n = Move(_out, to.Fd, Held);
        if (n > 0) Held -= n;
        // Who takes nothing out of a pipe takes nothing ever.
        return n == LoopSocket.Again && _refused ? LoopSocket.Broken : n;
    }

    private static int Move(int from, int to, int most)
    {
        while (true)
        {
            nint n = Libc.Splice(from, to, most);
            if (n >= 0) return (int)n;
            switch (Libc.Errno)
            {
                case Libc.Eintr:
                    continue;
                case Libc.Eagain:
                    return LoopSocket.Again;
                case Libc.Einval or Libc.Enosys:
                    // Sockets that cannot: by copying, as ever, from here on.
                    _refused = true;
                    return LoopSocket.Again;
                default:
                    return LoopSocket.Broken;
            }
        }
    }

    /// <summary>Closes half of those that were not needed since the last time. On the loop's thread, now and then.</summary>
    public static void Trim()
    {
        if (_kept is not { Count: > 0 } kept) return;
        for (int surplus = (_fewest + 1) / 2; surplus > 0; surplus--) kept.Pop().Close();
        _fewest = kept.Count;
    }

    /// <summary>For a loop that ends.</summary>
    public static void CloseKept()
    {
        if (_kept is not { } kept) return;
        while (kept.TryPop(out SplicePipe? pipe)) pipe.Close();
    }
}
