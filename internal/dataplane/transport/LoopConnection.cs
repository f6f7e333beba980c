using System.Net;
using System.Threading.Tasks.Sources;

namespace Gateway.DataPlane.Transport;

/// <summary>
/// A connection to an upstream on an event loop. Bytes are received straight into the caller's memory and sent straight from it; what the
/// kernel does not do at once is finished when epoll says so. Everything on the loop's thread but <see cref="Abort"/>. At most one
/// receive and one send at a time; both may be under way together.
/// </summary>
internal sealed class LoopConnection : SocketEvents, IValueTaskSource<int>, IValueTaskSource<bool>
{
    /// <summary>What a receive returns when the peer reset, or this side aborted.</summary>
    public const int Reset = LoopSocket.Broken;

    private readonly LoopPool? _pool;
    private IReceiver? _receiver;
    private ManualResetValueTaskSourceCore<int> _received;
    private ManualResetValueTaskSourceCore<bool> _sent;
    private Memory<byte> _receiveInto;
    private ReadOnlyMemory<byte> _sendFrom;
    private LoopSocket _socket = null!;
    private bool _receiving;
    private bool _sending;
    private bool _connecting;
    private bool _readable;
    private bool _writable;
    private bool _hungUp;

    private LoopConnection(EventLoop loop, LoopPool? pool)
    {
        Loop = loop;
        _pool = pool;
    }

    public EventLoop Loop { get; }

    public bool IsOpen => _socket.Fd >= 0;

    /// <summary>It has carried a request before: an end before the first byte of an answer then means that the peer closed it while it idled.</summary>
    public bool Reused { get; set; }

    /// <summary>In the pool, given out to nobody.</summary>
    public bool Idle { get; private set; }

    /// <summary>The loop's clock when it became idle.</summary>
    public long IdleSince { get; private set; }

    /// <summary>The loop's clock when it was made.</summary>
    public long OpenedAt { get; private set; }

    /// <summary>Connects; the connection is not open when it fails.</summary>
    /// <returns>0, or the system's error number.</returns>
    public static (LoopConnection Connection, ValueTask<bool> Connected) Connect(EventLoop loop, EndPoint endPoint, LoopPool? pool = null)
    {
        var connection = new LoopConnection(loop, pool) { OpenedAt = loop.NowMilliseconds };
        return (connection, connection.Start(endPoint));
    }

    /// <summary>The system's error number after a failed connect.</summary>
    public int ConnectError { get; private set; }

    private unsafe ValueTask<bool> Start(EndPoint endPoint)
    {
        Span<byte> address = stackalloc byte[SocketAddress.MaxLength];
        int length = SocketAddress.Write(endPoint, address, out int family);
        int fd = Libc.Socket(family, Libc.SockStreamNonBlockCloExec, 0);
        if (fd < 0)
        {
            ConnectError = Libc.Errno;
            _socket = new LoopSocket(Loop, -1, 0, 0, this);
            return new(false);
        }
        if (family != Libc.AfUnix)
        {
            Libc.SetFlag(fd, Libc.IpProtoTcp, Libc.TcpNoDelay);
            Libc.SetFlag(fd, Libc.SolSocket, Libc.SoKeepAlive);
        }
        int result;
        fixed (byte* start = address) result = Libc.Connect(fd, start, length);
        int error = result == 0 ? 0 : Libc.Errno;
        if (error is not (0 or Libc.Einprogress))
        {
            _ = Libc.Close(fd);
            ConnectError = error;
            _socket = new LoopSocket(Loop, -1, 0, 0, this);
            return new(false);
        }
        _writable = error == 0;
        _connecting = error != 0;
        try
        {
            _socket = Loop.Add(fd, this);
        }
        catch (EventLoopException refused)
        {
            _connecting = false;
            ConnectError = refused.Errno;
            _socket = new LoopSocket(Loop, -1, 0, 0, this);
            return new(false);
        }
        if (!_connecting)
        {
            _pool?.Opened();
            return new(true);
        }
        _sent.Reset();
        return new ValueTask<bool>((IValueTaskSource<bool>)this, _sent.Version);
    }

    /// <summary>
    /// Bytes received into the memory, 0 at the end of the stream, or <see cref="Reset"/>. With empty memory: 0 as soon as there may be
    /// something to receive, so that no buffer is held meanwhile.
    /// </summary>
    public ValueTask<int> ReceiveAsync(Memory<byte> into)
    {
        if (!IsOpen) return new(Reset);
        if (_readable)
        {
            // Only waiting for something to come: a read that filled its buffer cannot tell whether there is more, so look.
            int n = into.IsEmpty ? (NothingToRead() ? LoopSocket.Again : 0) : ReceiveNow(into.Span);
            if (n != LoopSocket.Again) return new(n);
        }
        _received.Reset();
        _receiveInto = into;
        _receiving = true;
        return new ValueTask<int>((IValueTaskSource<int>)this, _received.Version);
    }

    /// <summary>Waits until there may be something to receive, holding no memory meanwhile; tells nothing about what it is.</summary>
    public ValueTask<int> WaitAsync()
    {
        if (MayReceive) return new(0);
        _received.Reset();
        _receiving = true;
        return new ValueTask<int>((IValueTaskSource<int>)this, _received.Version);
    }

    /// <summary>A receive might find something, if only the end.</summary>
    public bool MayReceive => _readable || !IsOpen;

    /// <summary>As <see cref="TryReceive"/>, into a pipe.</summary>
    public int TrySplice(SplicePipe into, int most)
    {
        if (!IsOpen) return Reset;
        if (!_readable) return LoopSocket.Again;
        int n = into.Fill(_socket, most);
        // Less than was asked for may be all that the pipe has room for: only this says that the kernel's buffer is empty.
        if (n == LoopSocket.Again && into.Held == 0 && !SplicePipe.IsRefused) _readable = false;
        return n;
    }

    /// <summary>Told when there may be something to receive, by who does not wait; null for nobody.</summary>
    public IReceiver? Receiver
    {
        get => _receiver;
        set
        {
            _receiver = value;
            _socket.Touched = value?.Touched ?? [];
        }
    }

    /// <summary>Bytes received at once, 0 at the end of the stream, <see cref="LoopSocket.Again"/> when there is nothing yet, or <see cref="Reset"/>.</summary>
    public int TryReceive(Span<byte> into) => !IsOpen ? Reset : _readable ? ReceiveNow(into) : LoopSocket.Again;

    /// <summary>True when the kernel has taken all of it; false when the connection is broken.</summary>
    public ValueTask<bool> SendAsync(ReadOnlyMemory<byte> from)
    {
        if (!IsOpen) return new(false);
        if (_writable)
        {
            int n = SendNow(from);
            if (n == LoopSocket.Broken) return new(false);
            if (n == from.Length) return new(true);
            from = from[n..];
        }
        _sent.Reset();
        _sendFrom = from;
        _sending = true;
        return new ValueTask<bool>((IValueTaskSource<bool>)this, _sent.Version);
    }

    /// <summary>Gives the connection to the pool. False when it cannot carry another request: then it is closed.</summary>
    public bool MakeIdle()
    {
        if (!IsOpen || _hungUp || _receiving || _sending)
        {
            Close(reset: false);
            return false;
        }
        Idle = true;
        IdleSince = Loop.NowMilliseconds;
        return true;
    }

    /// <summary>Takes it out of the pool's hands. False when the peer has closed it, or said something that nobody asked for.</summary>
    public bool TryUse()
    {
        Idle = false;
        // A stale edge may say readable where nothing is: only a look tells.
        if (IsOpen && !_hungUp && (!_readable || NothingToRead()))
        {
            Reused = true;
            return true;
        }
        Close(reset: false);
        return false;
    }

    /// <summary>From any thread: what waits ends as broken, and the peer sees a reset.</summary>
    public void Abort()
    {
        if (EventLoop.Current == Loop) Close(reset: true);
        else Loop.Post(static connection => ((LoopConnection)connection!).Close(reset: true), this);
    }

    /// <summary>From any thread: gives up a connect that has not succeeded yet; a connection that is open by the time stays so.</summary>
    public void AbortConnect()
    {
        if (EventLoop.Current != Loop) Loop.Post(static connection => ((LoopConnection)connection!).AbortConnect(), this);
        else if (_connecting) Close(reset: true);
    }

    /// <summary>From any thread: what waits ends as broken, and the peer sees the end of the stream.</summary>
    public void End()
    {
        if (EventLoop.Current == Loop) Close(reset: false);
        else Loop.Post(static connection => ((LoopConnection)connection!).Close(reset: false), this);
    }

    /// <summary>Closes; what waits ends as broken.</summary>
    public void Close(bool reset)
    {
        if (!IsOpen) return;
        if (reset) Libc.SetResetOnClose(_socket.Fd);
        Loop.Close(_socket);
        if (!_connecting) _pool?.Closed(this);
        EndReceive(Reset);
        EndSend(false);
        Receiver?.OnReceivable();
    }

    public override void OnEvents(uint events)
    {
        if (_connecting)
        {
            FinishConnect();
            if (!IsOpen) return;
        }
        if ((events & (Libc.EpollRdHup | Libc.EpollHup | Libc.EpollErr)) != 0) _hungUp = true;
        if ((events & Libc.EpollOut) != 0) _writable = true;
        if ((events & (Libc.EpollIn | Libc.EpollRdHup | Libc.EpollHup | Libc.EpollErr)) != 0) _readable = true;

        if (Idle)
        {
            if (_hungUp || (_readable && !NothingToRead())) Close(reset: false);
            return;
        }
        if (_sending && _writable)
        {
            int n = SendNow(_sendFrom);
            if (n == LoopSocket.Broken) EndSend(false);
            else if (n == _sendFrom.Length) EndSend(true);
            else _sendFrom = _sendFrom[n..];
        }
        if (_receiving && _readable)
        {
            int n = _receiveInto.IsEmpty ? 0 : ReceiveNow(_receiveInto.Span);
            if (n != LoopSocket.Again) EndReceive(n);
        }
        if (_readable) Receiver?.OnReceivable();
    }

    public override void OnSweep(long nowMilliseconds)
    {
        if (Idle && _pool is not null && _pool.IsOver(nowMilliseconds - IdleSince)) Close(reset: false);
    }

    public override void OnLost(Exception? fault) => Close(reset: true);

    private unsafe void FinishConnect()
    {
        int error = 0, length = sizeof(int);
        if (Libc.GetOption(_socket.Fd, Libc.SolSocket, Libc.SoError, &error, &length) != 0) error = Libc.Errno;
        _connecting = false;
        if (error != 0)
        {
            ConnectError = error;
            Loop.Close(_socket);
        }
        else
        {
            _writable = true;
            _pool?.Opened();
        }
        _sent.SetResult(error == 0);
    }

    private int ReceiveNow(Span<byte> into)
    {
        int n = _socket.Receive(into);
        // A short read emptied the kernel's buffer, so the next call would only say so; but after a hang-up the end is still to be read.
        if (n == LoopSocket.Again || (n > 0 && n < into.Length && !_hungUp)) _readable = false;
        return n;
    }

    private int SendNow(ReadOnlyMemory<byte> from)
    {
        int n = _socket.Send(from.Span);
        if (n == LoopSocket.Broken) return n;
        if (n < from.Length) _writable = false;
        return Math.Max(n, 0);
    }

    private bool NothingToRead()
    {
        Span<byte> one = stackalloc byte[1];
        if (_socket.Receive(one, Libc.MsgPeek) != LoopSocket.Again) return false;
        _readable = false;
        return true;
    }

    private void EndReceive(int result)
    {
        if (!_receiving) return;
        _receiving = false;
        _receiveInto = default;
        _received.SetResult(result);
    }

    private void EndSend(bool result)
    {
        if (_connecting)
        {
            _connecting = false;
            _sent.SetResult(false);
            return;
        }
        if (!_sending) return;
        _sending = false;
        _sendFrom = default;
        _sent.SetResult(result);
    }

    int IValueTaskSource<int>.GetResult(short token) => _received.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<int>.GetStatus(short token) => _received.GetStatus(token);

    void IValueTaskSource<int>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _received.OnCompleted(continuation, state, token, flags);

    bool IValueTaskSource<bool>.GetResult(short token) => _sent.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<bool>.GetStatus(short token) => _sent.GetStatus(token);

    void IValueTaskSource<bool>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _sent.OnCompleted(continuation, state, token, flags);
}
