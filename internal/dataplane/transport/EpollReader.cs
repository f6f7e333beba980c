using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;
using Microsoft.AspNetCore.Connections;

namespace Gateway.DataPlane.Transport;

/// <summary>
/// What came from the peer, read from the socket only when somebody asks for it, into one contiguous buffer that is rented when there are
/// bytes to put into it and given back when they are used up: an idle connection holds none. Reads happen on the loop's thread; a caller
/// elsewhere is brought there. One reader at a time, as for every <see cref="PipeReader"/>.
/// </summary>
internal sealed class EpollReader(EpollConnection connection) : PipeReader, IValueTaskSource<ReadResult>
{
    private const int FirstRead = 4096;
    private const int LargestRead = 64 * 1024;

    private ManualResetValueTaskSourceCore<ReadResult> _completion;
    private byte[]? _buffer;
    private int _start;
    private int _end;
    private int _examined;
    private int _readSize = FirstRead;
    private bool _waiting;
    private bool _canceled;
    private bool _ended;
    private bool _completed;
    private Exception? _fault;
    private CancellationTokenRegistration _cancellation;

    /// <summary>The kernel may have bytes, or the end, for us. Loop thread only.</summary>
    private bool _readable = true;

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        if (EventLoop.Current != connection.Loop) return ReadOnLoopAsync(cancellationToken);
        ObjectDisposedException.ThrowIf(_completed, this);
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<ReadResult>(cancellationToken);
        if (HasNews || (_readable && Fill())) return _fault is null ? new(TakeResult()) : ValueTask.FromException<ReadResult>(_fault);

        _completion.Reset();
        _waiting = true;
        if (cancellationToken.CanBeCanceled)
        {
            _cancellation = cancellationToken.UnsafeRegister(static (reader, token) => ((EpollReader)reader!).CancelWait(token), this);
        }
        return new ValueTask<ReadResult>(this, _completion.Version);
    }

    // HTTP/2 reads from the thread pool, once for every few frames.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReadResult> ReadOnLoopAsync(CancellationToken cancellationToken)
    {
        await connection.Loop.Switch();
        return await ReadAsync(cancellationToken);
    }

    public override bool TryRead(out ReadResult result)
    {
        ObjectDisposedException.ThrowIf(_completed, this);
        // Looking ahead is only possible where the socket is read.
        if (!HasNews && !(_readable && !_waiting && EventLoop.Current == connection.Loop && Fill()))
        {
            result = default;
            return false;
        }
        if (_fault is not null) throw _fault;
        result = TakeResult();
        return true;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        if (_buffer is null || consumed.GetObject() != _buffer) return;
        // The top bit of a position in an array marks the end of the sequence.
        _start = consumed.GetInteger() & int.MaxValue;
        _examined = examined.GetInteger() & int.MaxValue;
        if (_start == _end) ReturnBuffer();
    }

    public override void CancelPendingRead()
    {
        if (EventLoop.Current != connection.Loop)
        {
            connection.Loop.Post(static reader => ((EpollReader)reader!).CancelPendingRead(), this);
            return;
        }
        _canceled = true;
        Wake();
    }

    public override void Complete(Exception? exception = null)
    {
        _completed = true;
        ReturnBuffer();
    }

    /// <summary>Bytes that were read but not consumed; the next owner of the socket must have them first.</summary>
    public ReadOnlySpan<byte> Unread => _buffer is null ? default : _buffer.AsSpan(_start, _end - _start);

    /// <summary>Puts bytes before everything still to be read. Only between reads.</summary>
    public void PutBack(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty) return;
        byte[] larger = LoopBuffers.Rent(Math.Max(FirstRead, bytes.Length + (_end - _start)));
        bytes.CopyTo(larger);
        Unread.CopyTo(larger.AsSpan(bytes.Length));
        int length = bytes.Length + (_end - _start);
        ReturnBuffer();
        _buffer = larger;
        _end = length;
        _examined = 0;
    }

    /// <summary>On the loop's thread: epoll says there is something to read, or nothing ever again.</summary>
    public void OnReadable()
    {
        _readable = true;
        if (_waiting && Fill()) Wake();
    }

    /// <summary>On the loop's thread: the connection is gone.</summary>
    public void End(Exception? fault)
    {
        _ended = true;
        _fault ??= fault;
        Wake();
    }

    public bool HasEnded => _ended;

    /// <summary>The peer has ended its direction, and that was read, or is all that is left to read.</summary>
    public bool HasEndedCleanly => _fault is null && (_ended || (connection.HungUp && connection.NothingBeforeEnd()));

    private bool HasNews => _canceled || _ended || (_buffer is not null && _examined < _end);

    private ReadResult TakeResult()
    {
        bool canceled = _canceled;
        _canceled = false;
        // Everything is shown; what the caller leaves unexamined, it gets again at once.
        _examined = _end;
        return new ReadResult(
            _buffer is null ? ReadOnlySequence<byte>.Empty : new ReadOnlySequence<byte>(_buffer, _start, _end - _start), canceled, _ended);
    }

    /// <summary>One recv. False when it found nothing new.</summary>
    private bool Fill()
    {
        if (connection.Socket.Fd < 0)
        {
            _ended = true;
            return true;
        }
        bool rented = MakeRoom();
        Span<byte> room = _buffer.AsSpan(_end);
        int n = connection.Socket.Receive(room);
        if (n > 0)
        {
            _end += n;
            // A short read emptied the kernel's buffer: the next call would only say so. After a hang-up there is still the end to be read.
            if (n < room.Length && !connection.HungUp) _readable = false;
            else if (n == room.Length) _readSize = Math.Min(_readSize * 4, LargestRead);
            return true;
        }
        if (rented) ReturnBuffer();
        if (n == LoopSocket.Again)
        {
            _readable = false;
            return false;
        }
        _ended = true;
        if (n == LoopSocket.Broken) _fault = new ConnectionResetException("The peer reset the connection.");
        connection.OnPeerGone();
        return true;
    }

    private bool MakeRoom()
    {
        if (_buffer is null)
        {
            _buffer = LoopBuffers.Rent(_readSize);
            _start = _end = _examined = 0;
            return true;
        }
        int unread = _end - _start;
        if (_buffer.Length - _end >= Math.Min(FirstRead, _buffer.Length / 2)) return false;
        if (unread <= _buffer.Length / 2)
        {
            Buffer.BlockCopy(_buffer, _start, _buffer, 0, unread);
        }
        else
        {
            byte[] larger = LoopBuffers.Rent(_buffer.Length * 2);
            Buffer.BlockCopy(_buffer, _start, larger, 0, unread);
            LoopBuffers.Return(_buffer);
            _buffer = larger;
        }
        _examined -= _start;
        _start = 0;
        _end = unread;
        return false;
    }

    private void ReturnBuffer()
    {
        if (_buffer is null) return;
        LoopBuffers.Return(_buffer);
        _buffer = null;
        _start = _end = _examined = 0;
    }

    private void Wake()
    {
        if (!_waiting) return;
        _waiting = false;
        _cancellation.Dispose();
        _cancellation = default;
        if (_fault is not null) _completion.SetException(_fault);
        else _completion.SetResult(TakeResult());
    }

    // Whoever ends the wait waits for a callback that runs now, so the version is still the one of the wait that is meant. But until this
    // comes to run on the loop, the read may have ended, and another have begun.
    private void CancelWait(CancellationToken token) => connection.Loop.Post(
        static state =>
        {
            (EpollReader reader, short version, CancellationToken token) = ((EpollReader, short, CancellationToken))state!;
            if (!reader._waiting || reader._completion.Version != version) return;
            reader._waiting = false;
            reader._cancellation = default;
            reader._completion.SetException(new OperationCanceledException(token));
        },
        (this, _completion.Version, token));

    ReadResult IValueTaskSource<ReadResult>.GetResult(short token) => _completion.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<ReadResult>.GetStatus(short token) => _completion.GetStatus(token);

    void IValueTaskSource<ReadResult>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _completion.OnCompleted(continuation, state, token, flags);
}
