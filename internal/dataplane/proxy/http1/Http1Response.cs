using System.Runtime.CompilerServices;
using Gateway.Core.Http1;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Proxy.Http1;

/// <summary>
/// Reads one response from a connection: its head into a buffer of its own, then its body, as a stream without its framing, straight into
/// the reader's memory. Reused for the next response; holds a buffer only from the first byte that comes to <see cref="End"/>.
/// </summary>
internal sealed class Http1Response : Stream
{
    // Most heads are below 1 KB; what comes of the body with the head is handed on from here.
    private const int FirstBuffer = 8 * 1024;

    /// <summary>The same limit as on the other engine (Envoy: 60 KB).</summary>
    private const int LargestHead = 64 * 1024;
    private const int MostFields = 256;
    private const int LargestTrailers = 8 * 1024;

    // Of one request; endless ones would keep the loop busy and say nothing. Go's client stops at 5.
    private const int MostInterim = 16;

    // One for all responses of a loop: nearly always a head is parsed and copied without another in between.
    [ThreadStatic]
    private static ParsedFields? _fields;

    private sealed class ParsedFields
    {
        public readonly HeaderField[] All = new HeaderField[MostFields];

        /// <summary>Whose head they are of; null for trailers.</summary>
        public Http1Response? Of;
    }

    private LoopConnection _connection = null!;
    private byte[] _buffer = [];
    private int _start;
    private int _end;
    private BodyFraming _framing;
    private long _left;
    private ChunkedDecoder _chunks;
    private Core.Http1.ResponseHead _head;
    private int _interim;
    private bool _unseen;
    private bool _bodyEnded;
    private bool _tooMuch;

    public ref readonly Core.Http1.ResponseHead Head => ref _head;

    /// <summary>The bytes of the head; valid until the body is read.</summary>
    public ReadOnlySpan<byte> HeadBytes => _buffer.AsSpan(_start - _head.Length, _head.Length);

    /// <summary>The fields of the head; to be looked at at once, valid until the body is read.</summary>
    public ReadOnlySpan<HeaderField> Fields => (_fields is { } parsed && ReferenceEquals(parsed.Of, this) ? parsed : ParsedAgain()).All.AsSpan(0, _head.FieldCount);

    public BodyFraming Framing => _framing;

    /// <summary>Nothing of the body is left to read, or there was none.</summary>
    public bool BodyEnded => _bodyEnded;

    /// <summary>Bytes came: the upstream has seen, and begun to answer, this very request.</summary>
    public bool AnyBytes { get; private set; }

    /// <summary>The whole response has been read, and the connection may carry another request.</summary>
    public bool IsReusable => _bodyEnded && !_tooMuch && _start == _end && _head.IsPersistent && _framing.Kind is not (BodyKind.UntilClose or BodyKind.Tunnel);

    /// <summary>The trailer section as it came; empty when there is none.</summary>
    public List<(string Name, string Value)> Trailers { get; } = [];

    public void Begin(LoopConnection connection)
    {
        _connection = connection;
        _start = _end = 0;
        _chunks = default;
        _head = default;
        _framing = default;
        _interim = 0;
        _unseen = false;
        _bodyEnded = false;
        _tooMuch = false;
        AnyBytes = false;
        Trailers.Clear();
    }

    public void End()
    {
        if (_buffer.Length != 0) LoopBuffers.Return(_buffer);
        _buffer = [];
        _connection = null!;
        if (_fields is { } parsed && ReferenceEquals(parsed.Of, this)) parsed.Of = null;
    }

    /// <summary>
    /// One receive and one look for the next head, interim ones included. False: more must come first.
    /// <see cref="ParseStatus.NeedMore"/> as the outcome: the connection ended before the head was whole.
    /// </summary>
    public bool TryReadHead(bool toHead, out ParseStatus status)
    {
        // An interim head may have brought the next one with it: looked at once, and then again when more has come.
        bool unseen = _unseen;
        _unseen = false;
        if (unseen && _start < _end && Parsed(toHead, out status)) return true;
        status = ParseStatus.NeedMore;
        if (!_connection.MayReceive) return false;
        MakeRoom();
        int before = _end;
        int n = _connection.TryReceive(_buffer.AsSpan(_end));
        if (n == LoopSocket.Again) return false;
        if (n <= 0) return true;
        AnyBytes = true;
        _end += n;
        // A head can only be whole, or refused beyond its first line, where a line ended: trickled bytes are not parsed over and over.
        return (before == _start || _end - _start >= LargestHead || _buffer.AsSpan(before, n).Contains((byte)'\n')) && Parsed(toHead, out status);
    }

    /// <summary>Reads the next head, interim ones included.</summary>
    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder<>))]
    public async ValueTask<ParseStatus> ReadHeadAsync(bool toHead)
    {
        ParseStatus status;
        while (!TryReadHead(toHead, out status)) _ = await _connection.WaitAsync();
        return status;
    }

    private bool Parsed(bool toHead, out ParseStatus status)
    {
        status = Parse();
        if (status == ParseStatus.Complete)
        {
            _start += _head.Length;
            _unseen = true;
            _framing = BodyFraming.OfResponse(_head, toHead, toConnect: false);
            _left = _framing.Kind == BodyKind.Tunnel ? -1 : _framing.Length;
            _bodyEnded = _framing.Kind == BodyKind.None || _left == 0;
            if (_head.IsInterim && ++_interim > MostInterim) status = ParseStatus.TooManyInterim;
            return true;
        }
        if (status != ParseStatus.NeedMore) return true;
        if (_end - _start < LargestHead) return false;
        status = ParseStatus.HeadTooLong;
        return true;
    }

    /// <summary>A body of known length, maybe none, of which every byte has come with the head.</summary>
    public bool IsWholeHere => _framing.Kind == BodyKind.Length ? _left <= _end - _start : _bodyEnded && _framing.Kind == BodyKind.None && _head.Facts.ContentLength == 0;

    /// <summary>The whole body, when it came with the head; it then counts as read. Valid until <see cref="End"/>.</summary>
    public bool TryTakeWhole(out ReadOnlyMemory<byte> body)
    {
        body = default;
        if (_bodyEnded || _framing.Kind != BodyKind.Length || _left > _end - _start) return false;
        body = _buffer.AsMemory(_start, (int)_left);
        _start += (int)_left;
        Consume((int)_left);
        return true;
    }

    /// <summary>Passes over the body, when all of it is here. False: reading on would be needed to know where the next response begins.</summary>
    public bool TryDiscard() => _bodyEnded || TryTakeWhole(out _);

    /// <summary>The body's bytes are the connection's, without framing of their own in between.</summary>
    public bool IsPlain => _framing.Kind is BodyKind.Length or BodyKind.UntilClose;

    /// <summary>Body bytes that can be had at once, into memory that is not empty; 0 at the end. False: <see cref="WaitAsync"/> first. Of a plain body.</summary>
    /// <exception cref="HttpIOException">The connection ended before the body did.</exception>
    public bool TryReadPlain(Span<byte> buffer, out int read)
    {
        read = 0;
        if (_bodyEnded) return true;
        if (_start < _end)
        {
            read = TakeBuffered(buffer);
            return true;
        }
        // One byte more than is due, where there is room: what comes short of it has emptied the kernel's buffer, so that nobody needs to
        // look again, and what does not is a response that goes on after its end.
        if (_left >= 0 && buffer.Length > _left) buffer = buffer[..(int)Math.Min(buffer.Length, _left + 1)];
        int n = _connection.TryReceive(buffer);
        if (n == LoopSocket.Again) return false;
        if (_left >= 0 && n > _left)
        {
            _tooMuch = true;
            n = (int)_left;
        }
        read = Received(n, onlyWait: false);
        return true;
    }

    /// <summary>As <see cref="TryReadPlain"/>, into a pipe; nothing of the body may be left that came with the head.</summary>
    /// <exception cref="HttpIOException">The connection ended before the body did.</exception>
    public bool TrySplice(SplicePipe into, out int read)
    {
        read = 0;
        int n = _connection.TrySplice(into, (int)Math.Min(Left, int.MaxValue));
        if (n == LoopSocket.Again) return false;
        read = Received(n, onlyWait: false);
        return true;
    }

    /// <summary>Bytes of the body that came with the head and are still to be read.</summary>
    public bool HasBuffered => _start < _end;

    /// <summary>The loop of the connection: reads happen on its thread.</summary>
    public EventLoop Loop => _connection.Loop;

    public ValueTask<int> WaitAsync() => _connection.WaitAsync();

    /// <summary>A read might find something at once.</summary>
    public bool MayRead => _connection.MayReceive;

    /// <summary>Bytes of a plain body that are still to be read; <see cref="long.MaxValue"/> when only its end will tell.</summary>
    public long Left => _left < 0 ? long.MaxValue : _left;

    /// <summary>Body bytes; 0 at the end of the body. An empty buffer only waits until there is something to read.</summary>
    /// <exception cref="HttpIOException">The connection ended before the body did, or the framing is malformed.</exception>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_bodyEnded) return new(0);
        if (_connection.Loop != EventLoop.Current) return ReadOnLoopAsync(buffer);
        return _framing.Kind == BodyKind.Chunked ? ReadChunkedAsync(buffer) : ReadPlainAsync(buffer);
    }

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder<>))]
    private async ValueTask<int> ReadOnLoopAsync(Memory<byte> buffer)
    {
        await _connection.Loop.Switch();
        return await ReadAsync(buffer);
    }

    private ValueTask<int> ReadPlainAsync(Memory<byte> buffer)
    {
        if (_start < _end) return new(TakeBuffered(buffer.Span));
        if (_left >= 0 && buffer.Length > _left) buffer = buffer[..(int)_left];
        ValueTask<int> receive = _connection.ReceiveAsync(buffer);
        return receive.IsCompletedSuccessfully ? new(Received(receive.GetAwaiter().GetResult(), buffer.IsEmpty)) : AwaitReceiveAsync(receive, buffer.IsEmpty);
    }

    private int TakeBuffered(Span<byte> buffer)
    {
        int n = (int)Math.Min(buffer.Length, _left < 0 ? _end - _start : Math.Min(_left, _end - _start));
        _buffer.AsSpan(_start, n).CopyTo(buffer);
        _start += n;
        Consume(n);
        return n;
    }

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder<>))]
    private async ValueTask<int> AwaitReceiveAsync(ValueTask<int> receive, bool onlyWait) => Received(await receive, onlyWait);

    private int Received(int n, bool onlyWait)
    {
        if (onlyWait && n == 0) return 0;
        if (n > 0)
        {
            Consume(n);
            return n;
        }
        if (n == 0 && _framing.Kind is (BodyKind.UntilClose or BodyKind.Tunnel))
        {
            _bodyEnded = true;
            return 0;
        }
        throw new HttpIOException(HttpRequestError.ResponseEnded, "The upstream closed the connection before the end of the response.");
    }

    private void Consume(int n)
    {
        if (_left < 0) return;
        _left -= n;
        if (_left == 0) _bodyEnded = true;
    }

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder<>))]
    private async ValueTask<int> ReadChunkedAsync(Memory<byte> buffer)
    {
        while (true)
        {
            while (_start < _end)
            {
                ReadOnlySpan<byte> input = _buffer.AsSpan(_start, _end - _start);
                ChunkedDecoder before = _chunks;
                ChunkEvent found = _chunks.Next(input, out int consumed, out int dataStart);
                switch (found)
                {
                    case ChunkEvent.Data or ChunkEvent.Trailers when buffer.IsEmpty:
                        // There is something to read; the next call takes it. Framing alone is nothing: the reader would wait without flushing.
                        _chunks = before;
                        return 0;
                    case ChunkEvent.Data:
                        int n = Math.Min(consumed - dataStart, buffer.Length);
                        input.Slice(dataStart, n).CopyTo(buffer.Span);
                        if (n < consumed - dataStart)
                        {
                            // Taken back to where the reader's memory was full.
                            _chunks = before;
                            _ = _chunks.Next(input[..(dataStart + n)], out consumed, out _);
                        }
                        _start += consumed;
                        return n;
                    case ChunkEvent.Trailers:
                        _start += consumed;
                        await ReadTrailersAsync();
                        return 0;
                    case ChunkEvent.Malformed:
                        throw new HttpIOException(HttpRequestError.InvalidResponse, $"The upstream's chunks are malformed ({_chunks.Error}).");
                    default:
                        _start += consumed;
                        break;
                }
            }
            _start = _end = 0;
            // Waiting holds no memory of the reader's, only the small buffer of the head.
            await FillAsync();
        }
    }

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder))]
    private async ValueTask ReadTrailersAsync()
    {
        while (true)
        {
            int position = _start;
            ParsedFields parsed = _fields ??= new ParsedFields();
            parsed.Of = null;
            HeaderField[] fields = parsed.All;
            ParseStatus status = FieldParser.Parse(_buffer.AsSpan(0, _end), ref position, fields, out int count, out _);
            if (status == ParseStatus.Complete)
            {
                ReadOnlySpan<byte> bytes = _buffer;
                for (int i = 0; i < count; i++)
                {
                    if (fields[i].Kind == FieldKind.Other) Trailers.Add((HeaderText.OfThread.Of(fields[i].Name(bytes)), HeaderText.OfThread.Of(fields[i].Value(bytes))));
                }
                _start = position;
                _bodyEnded = true;
                return;
            }
            if (status != ParseStatus.NeedMore || _end - _start > LargestTrailers)
                throw new HttpIOException(HttpRequestError.InvalidResponse, $"The upstream's trailers are malformed ({status}).");
            MakeRoom();
            await FillAsync();
        }
    }

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder))]
    private async ValueTask FillAsync()
    {
        int n = await _connection.ReceiveAsync(_buffer.AsMemory(_end));
        if (n <= 0) Truncated();
        _end += n;
    }

    private static void Truncated() =>
        throw new HttpIOException(HttpRequestError.ResponseEnded, "The upstream closed the connection before the end of the response.");

    private ParseStatus Parse()
    {
        ParsedFields parsed = _fields ??= new ParsedFields();
        parsed.Of = this;
        return Core.Http1.ResponseHead.Parse(_buffer.AsSpan(_start, _end - _start), parsed.All, out _head);
    }

    // Other heads were parsed on this thread since: whoever waited between the head and its fields finds them all the same.
    private ParsedFields ParsedAgain()
    {
        ParsedFields parsed = _fields ??= new ParsedFields();
        parsed.Of = this;
        _ = Core.Http1.ResponseHead.Parse(HeadBytes, parsed.All, out _);
        return parsed;
    }

    private void MakeRoom()
    {
        if (_end < _buffer.Length) return;
        if (_buffer.Length == 0)
        {
            _buffer = LoopBuffers.Rent(FirstBuffer);
            return;
        }
        int unread = _end - _start;
        if (_start > 0)
        {
            Buffer.BlockCopy(_buffer, _start, _buffer, 0, unread);
        }
        else
        {
            byte[] larger = LoopBuffers.Rent(_buffer.Length * 2);
            Buffer.BlockCopy(_buffer, 0, larger, 0, unread);
            LoopBuffers.Return(_buffer);
            _buffer = larger;
        }
        _start = 0;
        _end = unread;
    }

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
