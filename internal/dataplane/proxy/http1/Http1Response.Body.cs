using System.Runtime.CompilerServices;
using Gateway.Core.Http1;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Proxy.Http1;

// The body: by its length, to the end of the connection, or in chunks with trailers.
internal sealed partial class Http1Response
{
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
}
