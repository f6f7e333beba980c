using System.Buffers;
using System.IO.Pipelines;
using System.Threading.Tasks.Sources;

namespace Gateway.DataPlane.Transport;

/// <summary>
/// What goes to the peer: written into one buffer, sent by the flush itself on whichever thread flushes (HTTP/2 flushes from several), and
/// what the kernel does not take at once when epoll says that it will. The gate keeps sends in order, and keeps a send from meeting the
/// close of its descriptor; the writable flag is changed only under it, or a wake-up could be lost.
/// </summary>
internal sealed class EpollWriter(EpollConnection connection) : PipeWriter, IValueTaskSource<FlushResult>
{
    private const int SmallestBuffer = 4096;

    // Beyond this a flush is not put off: the peer may be slow, and whoever writes is to feel it.
    private const int MostDeferred = 64 * 1024;

    private readonly Lock _gate = new();
    private ManualResetValueTaskSourceCore<FlushResult> _completion;
    private byte[]? _buffer;
    private int _start;
    private int _end;
    private bool _lent;
    private bool _writable = true;
    private bool _waiting;
    private bool _broken;
    private bool _canceled;
    private bool _deferred;
    private volatile bool _sentElsewhere;
    private CancellationTokenRegistration _cancellation;

    public override bool CanGetUnflushedBytes => true;

    public override long UnflushedBytes => _end - _start;

    /// <summary>Bytes written that the kernel has not taken.</summary>
    public bool HasUnsent
    {
        get
        {
            lock (_gate) return _end > _start && !_broken;
        }
    }

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        MakeRoom(sizeHint);
        return _buffer.AsMemory(_end);
    }

    public override Span<byte> GetSpan(int sizeHint = 0)
    {
        MakeRoom(sizeHint);
        return _buffer.AsSpan(_end);
    }

    public override void Advance(int bytes)
    {
        lock (_gate)
        {
            _end += bytes;
            _lent = false;
        }
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<FlushResult>(cancellationToken);
        lock (_gate)
        {
            if (_canceled)
            {
                _canceled = false;
                return new(new FlushResult(isCanceled: true, isCompleted: _broken));
            }
            if (EventLoop.Current != connection.Loop) _sentElsewhere = true;
            // HTTP/2 answers many streams at once, each with a flush of its own from the thread pool: one call to the kernel, on the
            // loop's next turn, takes them all.
            if (EventLoop.Current != connection.Loop && !_broken && _end - _start <= MostDeferred)
            {
                if (!_deferred && _end > _start)
                {
                    _deferred = true;
                    connection.Loop.Post(static writer => ((EpollWriter)writer!).FlushDeferred(), this);
                }
                return new(new FlushResult(isCanceled: false, isCompleted: false));
            }
            if (Push_NeedsGate()) return new(new FlushResult(isCanceled: false, isCompleted: _broken));
            BeginWait_NeedsGate();
        }
        return Wait(cancellationToken);
    }

    /// <summary>Sends what a pipe holds, while nothing else is to be sent. As <see cref="LoopSocket.Send"/>. On the loop's thread.</summary>
    public int TrySplice(SplicePipe from)
    {
        lock (_gate)
        {
            if (_broken || _canceled || connection.Socket.Fd < 0) return LoopSocket.Broken;
            if (!_writable || _start < _end) return LoopSocket.Again;
            int n = from.Drain(connection.Socket);
            if (n == LoopSocket.Again) _writable = false;
            else if (n == LoopSocket.Broken) _broken = true;
            return n;
        }
    }

    /// <summary>Waits until the kernel takes bytes again, as a flush does.</summary>
    public ValueTask<FlushResult> WaitAsync(CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<FlushResult>(cancellationToken);
        lock (_gate)
        {
            if ((_writable && _start == _end) || _broken) return new(new FlushResult(isCanceled: false, isCompleted: _broken));
            BeginWait_NeedsGate();
        }
        return Wait(cancellationToken);
    }

    private void BeginWait_NeedsGate()
    {
        _completion.Reset();
        _waiting = true;
    }

    private ValueTask<FlushResult> Wait(CancellationToken cancellationToken)
    {
        if (cancellationToken.CanBeCanceled)
        {
            CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(
                static (writer, token) => ((EpollWriter)writer!).EndWait(canceled: false, new OperationCanceledException(token)), this);
            bool ended;
            lock (_gate)
            {
                ended = !_waiting;
                if (!ended) _cancellation = registration;
            }
            if (ended) registration.Dispose();
        }
        return new ValueTask<FlushResult>(this, _completion.Version);
    }

    private void FlushDeferred()
    {
        lock (_gate)
        {
            _deferred = false;
            // What the kernel does not take now, it takes when epoll says so.
            if (!Push_NeedsGate() || !_waiting) return;
        }
        EndWait(canceled: false, null);
    }

    public override void CancelPendingFlush()
    {
        lock (_gate)
        {
            if (!_waiting)
            {
                _canceled = true;
                return;
            }
        }
        EndWait(canceled: true, null);
    }

    public override void Complete(Exception? exception = null)
    {
        // As with a Pipe, completing commits what was written; what the kernel does not take now is sent before the socket is closed.
        lock (_gate)
        {
            _lent = false;
            if (EventLoop.Current != connection.Loop) _sentElsewhere = true;
            if (exception is null) _ = Push_NeedsGate();
        }
    }

    /// <summary>On the loop's thread: the kernel takes bytes again.</summary>
    public void OnWritable()
    {
        // Sends from elsewhere alone could find the kernel's buffer full just now; they say so before they send.
        if (_writable && !_sentElsewhere) return;
        lock (_gate)
        {
            _writable = true;
            if (!Push_NeedsGate() || !_waiting) return;
        }
        EndWait(canceled: false, null);
    }

    /// <summary>On the loop's thread: the connection is gone, or is to go; nothing is sent any more. Closes the descriptor under the gate.</summary>
    public void Break(bool reset)
    {
        lock (_gate)
        {
            _broken = true;
            _end = _start;
            ReturnBuffer_NeedsGate();
            if (reset && connection.Socket.Fd >= 0) Libc.SetResetOnClose(connection.Socket.Fd);
            connection.Loop.Close(connection.Socket);
        }
        EndWait(canceled: false, null);
    }

    /// <summary>After the end: also memory that was lent and never came back is nobody's any more.</summary>
    public void Reclaim()
    {
        lock (_gate)
        {
            _lent = false;
            _end = _start;
            ReturnBuffer_NeedsGate();
        }
    }

    private void EndWait(bool canceled, Exception? fault)
    {
        CancellationTokenRegistration registration;
        lock (_gate)
        {
            if (!_waiting) return;
            _waiting = false;
            registration = _cancellation;
            _cancellation = default;
        }
        // Waits for a callback that runs now, so that it cannot end the next flush.
        registration.Dispose();
        if (fault is not null) _completion.SetException(fault);
        else _completion.SetResult(new FlushResult(canceled, _broken));
    }

    /// <summary>True when everything is with the kernel, or never will be.</summary>
    private bool Push_NeedsGate()
    {
        while (_start < _end)
        {
            if (_broken || connection.Socket.Fd < 0)
            {
                _broken = true;
                _end = _start;
                break;
            }
            if (!_writable) return false;
            int length = _end - _start;
            int n = connection.Socket.Send(_buffer.AsSpan(_start, length));
            if (n == LoopSocket.Again)
            {
                _writable = false;
                return false;
            }
            if (n == LoopSocket.Broken)
            {
                _broken = true;
                _end = _start;
                break;
            }
            _start += n;
            // A short send filled the kernel's buffer; the edge that says there is room again is still to come.
            if (n < length) _writable = false;
        }
        ReturnBuffer_NeedsGate();
        return true;
    }

    private void MakeRoom(int sizeHint)
    {
        if (sizeHint < 1) sizeHint = 1;
        lock (_gate)
        {
            _lent = true;
            if (_buffer is null)
            {
                _buffer = LoopBuffers.Rent(Math.Max(sizeHint, SmallestBuffer));
                _start = _end = 0;
                return;
            }
            if (_buffer.Length - _end >= sizeHint) return;
            int unsent = _end - _start;
            byte[] larger = LoopBuffers.Rent(Math.Max(_buffer.Length * 2, unsent + sizeHint));
            Buffer.BlockCopy(_buffer, _start, larger, 0, unsent);
            LoopBuffers.Return(_buffer);
            _buffer = larger;
            _start = 0;
            _end = unsent;
        }
    }

    // Memory lent out by GetMemory is about to be written to: the buffer stays until it comes back.
    private void ReturnBuffer_NeedsGate()
    {
        if (_buffer is null || _lent || _start != _end) return;
        LoopBuffers.Return(_buffer);
        _buffer = null;
        _start = _end = 0;
    }

    FlushResult IValueTaskSource<FlushResult>.GetResult(short token) => _completion.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<FlushResult>.GetStatus(short token) => _completion.GetStatus(token);

    void IValueTaskSource<FlushResult>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _completion.OnCompleted(continuation, state, token, flags);
}
