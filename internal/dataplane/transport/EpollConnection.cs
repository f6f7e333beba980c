using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace Gateway.DataPlane.Transport;

/// <summary>Wants to know when the peer of a connection has gone.</summary>
internal interface IDepartureWatcher
{
    /// <summary>It has closed or reset the connection, or ended its direction of it. On the connection's loop, at most once; must not block.</summary>
    void OnPeerGone();

    /// <summary>The connection is closed: nothing more happens on it. On its loop, once, last.</summary>
    void OnReleased();
}

/// <summary>Tells the layers above which loop a connection lives on.</summary>
internal interface ILoopFeature
{
    EventLoop Loop { get; }

    /// <summary>The peer has closed or reset the connection.</summary>
    bool IsPeerGone { get; }

    /// <summary>What is touched when the client sends something; see <see cref="LoopSocket.Touched"/>. On the loop's thread.</summary>
    object[] Touched { set; }

    /// <summary>
    /// Told on the loop, before <see cref="ConnectionContext.ConnectionClosed"/> is cancelled on the thread pool: without the cost of a
    /// registration for each request.
    /// </summary>
    IDepartureWatcher? Watcher { get; set; }
}

/// <summary>
/// A client's connection on an event loop, as Kestrel wants it: a duplex pipe and its features. Everything that touches the descriptor's
/// life happens on the loop's thread.
/// </summary>
internal sealed class EpollConnection : ConnectionContext, IDuplexPipe, ILoopFeature, IConnectionIdFeature, IConnectionTransportFeature,
    IConnectionItemsFeature, IConnectionLifetimeFeature, IConnectionEndPointFeature, IMemoryPoolFeature
{
    // How long a closed connection may take to let its last bytes go, or to be heard out (nginx's lingering_timeout).
    private const long LingerMilliseconds = 5000;

    private CancellationTokenSource? _closed;
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly EpollReader _reader;
    private readonly EpollWriter _writer;
    private readonly Action<EpollConnection>? _onReleased;
    private EndPoint? _local;
    private string? _id;
    private int _gone;
    private bool _releasing;

    public EpollConnection(EventLoop loop, int fd, EndPoint? remote, EndPoint? local, Action<EpollConnection>? onReleased = null)
    {
        Loop = loop;
        RemoteEndPoint = remote;
        _local = local;
        _onReleased = onReleased;
        _reader = new EpollReader(this);
        _writer = new EpollWriter(this);
        Transport = this;
        Items = new ConnectionItems();
        Features = new FeatureCollection(12);
        Features.Set<IConnectionIdFeature>(this);
        Features.Set<IConnectionTransportFeature>(this);
        Features.Set<IConnectionItemsFeature>(this);
        Features.Set<IConnectionLifetimeFeature>(this);
        Features.Set<IConnectionEndPointFeature>(this);
        Features.Set<IMemoryPoolFeature>(this);
        Features.Set<ILoopFeature>(this);
        Socket = loop.Add(fd, new ActiveEvents(this));
    }

    public EventLoop Loop { get; }

    public bool IsPeerGone => Volatile.Read(ref _gone) != 0;

    public IDepartureWatcher? Watcher { get; set; }

    public object[] Touched
    {
        set => Socket.Touched = [this, _reader, _writer, .. value];
    }

    public LoopSocket Socket { get; }

    /// <summary>epoll reported an end or an error: from here on a short read does not mean that nothing is left to read.</summary>
    public bool HungUp { get; private set; }

    public PipeReader Input => _reader;

    public PipeWriter Output => _writer;

    public override string ConnectionId
    {
        get => _id ??= ConnectionIds.Next();
        set => _id = value;
    }

    public override IFeatureCollection Features { get; }

    public override IDictionary<object, object?> Items { get; set; }

    public override IDuplexPipe Transport { get; set; }

    /// <summary>Made when it is first asked for: whoever watches the connection from its loop needs none.</summary>
    public override CancellationToken ConnectionClosed
    {
        get
        {
            if (Volatile.Read(ref _closed) is { } known) return known.Token;
            CancellationTokenSource made = new();
            if (Interlocked.CompareExchange(ref _closed, made, null) is { } other) return other.Token;
            // Either the departure sees the source, or this sees the departure.
            if (IsPeerGone) CancelClosed();
            return made.Token;
        }
        set => throw new NotSupportedException();
    }

    public override EndPoint? RemoteEndPoint { get; set; }

    public override EndPoint? LocalEndPoint
    {
        get => _local ??= SocketAddress.LocalOf(Socket.Fd);
        set => _local = value;
    }

    public MemoryPool<byte> MemoryPool => Loop.Blocks;

    /// <summary>
    /// Resets the connection: the peer sees RST, never a clean end; but a peer that ended its own direction, and to whom nothing more is to
    /// be sent, is ended like it. From any thread.
    /// </summary>
    public override void Abort(ConnectionAbortedException abortReason) => OnLoop(static connection =>
    {
        bool answered = connection._reader.HasEndedCleanly && !connection._writer.HasUnsent;
        connection.OnPeerGone();
        connection._reader.End(null);
        connection.Release(reset: !answered);
    });

    /// <summary>Closes after what was written is sent; ends when the descriptor is closed.</summary>
    public override async ValueTask DisposeAsync()
    {
        OnLoop(static connection => connection.CloseGently());
        await _released.Task;
        // Who was refused, or went away in the middle of something, leaves bytes behind; nobody uses them any more.
        _reader.Complete();
        _writer.Reclaim();
        Volatile.Read(ref _closed)?.Dispose();
    }

    /// <summary>The peer has closed or reset: the watcher is told here and now, whoever watches <see cref="ConnectionClosed"/> away from the loop.</summary>
    public void OnPeerGone()
    {
        if (Interlocked.Exchange(ref _gone, 1) != 0) return;
        Watcher?.OnPeerGone();
        if (Volatile.Read(ref _closed) is not null) CancelClosed();
    }

    private void CancelClosed() => ThreadPool.UnsafeQueueUserWorkItem(
        static closed =>
        {
            try
            {
                closed.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // The connection was disposed first; nobody watches any more.
            }
        },
        _closed!,
        preferLocal: false);

    private void OnLoop(Action<EpollConnection> action)
    {
        if (EventLoop.Current == Loop) action(this);
        else Loop.Post(static state => { (EpollConnection connection, Action<EpollConnection> action) = ((EpollConnection, Action<EpollConnection>))state!; action(connection); }, (this, action));
    }

    private void CloseGently()
    {
        if (Socket.Fd < 0)
        {
            Release(reset: false);
            return;
        }
        if (!_writer.HasUnsent && TryFinish()) return;
        Socket.Sink = new ClosingEvents(this, Loop.NowMilliseconds + LingerMilliseconds);
    }

    /// <summary>
    /// Sends FIN and closes, unless the peer is still sending: closing then would reset the connection and could take the last response
    /// with it, so what comes is read and dropped first.
    /// </summary>
    private bool TryFinish()
    {
        if (!_reader.HasEnded && DropIncoming() > 0)
        {
            _ = Libc.Shutdown(Socket.Fd, Libc.ShutWrite);
            return false;
        }
        // To close says FIN too.
        Release(reset: false);
        return true;
    }

    /// <summary>Bytes dropped now; 0 when there is nothing, or nothing ever again.</summary>
    private int DropIncoming()
    {
        Span<byte> scrap = stackalloc byte[4096];
        int dropped = 0;
        // Bounded, so that one fast sender does not hold the loop.
        for (int i = 0; i < 64; i++)
        {
            int n = Socket.Receive(scrap);
            if (n <= 0) return n == LoopSocket.Again ? dropped : 0;
            dropped += n;
        }
        return dropped;
    }

    private void Release(bool reset)
    {
        // Whoever waited for the writer or the reader goes on within these, and may well dispose of the connection.
        if (_releasing) return;
        _releasing = true;
        _writer.Break(reset);
        _reader.End(null);
        Watcher?.OnReleased();
        _released.TrySetResult();
        _onReleased?.Invoke(this);
    }

    // The reader tells what happened; whoever watches the connection, that it has ended; the peer sees a reset.
    private void Lost(Exception? fault)
    {
        OnPeerGone();
        _reader.End(fault is null
            ? new ConnectionAbortedException("The event loop has ended.")
            : new ConnectionAbortedException("The connection failed inside the gateway.", fault));
        Release(reset: true);
    }

    private sealed class ActiveEvents(EpollConnection connection) : SocketEvents
    {
        public override void OnEvents(uint events)
        {
            const uint gone = Libc.EpollErr | Libc.EpollHup;
            if ((events & (gone | Libc.EpollRdHup)) != 0) connection.HungUp = true;
            if ((events & Libc.EpollOut) != 0) connection._writer.OnWritable();
            if ((events & (Libc.EpollIn | Libc.EpollRdHup | gone)) != 0) connection._reader.OnReadable();
            if (connection.Socket.Fd < 0 || !connection.HungUp) return;
            // Nobody may be reading (a request is being served): a reset, or an end with nothing before it, is told at once all the same. A client
            // may end its direction and still wait for its answer (RFC 9112 section 9.6), but one that has closed looks the same until something
            // is sent to it, and those are nearly all; Kestrel, nginx, Envoy and Go's server take both for gone.
            if ((events & gone) != 0) connection.OnPeerGone();
            else if (connection.NothingBeforeEnd()) connection.OnPeerGone();
        }

        public override void OnLost(Exception? fault) => connection.Lost(fault);
    }

    /// <summary>Nothing that the peer sent is unread, and nothing more will come.</summary>
    public bool NothingBeforeEnd()
    {
        Span<byte> one = stackalloc byte[1];
        return Socket.Fd >= 0 && _reader.Unread.IsEmpty && Socket.Receive(one, Libc.MsgPeek) == 0;
    }

    /// <summary>After DisposeAsync: sends what is left, hears the peer out, closes; not later than the deadline.</summary>
    private sealed class ClosingEvents(EpollConnection connection, long deadline) : SocketEvents
    {
        private bool _finishing;

        public override void OnEvents(uint events)
        {
            if ((events & Libc.EpollOut) != 0) connection._writer.OnWritable();
            if ((events & (Libc.EpollErr | Libc.EpollHup)) != 0)
            {
                connection.Release(reset: false);
                return;
            }
            if (!_finishing)
            {
                if (connection._writer.HasUnsent) return;
                _finishing = true;
                _ = connection.TryFinish();
            }
            else if (connection.DropIncoming() == 0 && (events & Libc.EpollRdHup) != 0) connection.Release(reset: false);
        }

        public override void OnSweep(long nowMilliseconds)
        {
            if (nowMilliseconds >= deadline) connection.Release(reset: true);
        }

        public override void OnLost(Exception? fault) => connection.Lost(fault);
    }
}

/// <summary>Short unique connection ids, made only when somebody asks.</summary>
internal static class ConnectionIds
{
    private static long _last;

    public static string Next() => "c" + Interlocked.Increment(ref _last).ToString("x", System.Globalization.CultureInfo.InvariantCulture);
}
