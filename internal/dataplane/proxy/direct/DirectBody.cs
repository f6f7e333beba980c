using System.IO.Pipelines;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Proxy.Direct;

/// <summary>How the response's body is told apart from what follows it.</summary>
internal enum DirectFraming : byte
{
    /// <summary>There is none: what is written goes nowhere.</summary>
    None,

    /// <summary>By its length, or by framing that the application writes itself.</summary>
    AsIs,

    /// <summary>Each piece becomes a chunk (RFC 9112 section 7.1).</summary>
    Chunked,
}

/// <summary>Where a response's body is written: the connection, with the framing that its head promised. One writer at a time.</summary>
internal sealed class DirectBody(DirectResponse response) : PipeWriter
{
    // Eight digits, CR LF before a chunk's data, CR LF after it. Leading zeros are legal.
    private const int ChunkHead = 10, ChunkTail = 2;

    private static readonly byte[] Scrap = new byte[64 * 1024];

    private Memory<byte> _lent;
    private DirectFraming _framing;
    private long _most;
    private PipeWriter _output = null!;

    /// <summary>Bytes of the body that were written.</summary>
    public long Written { get; private set; }

    public override bool CanGetUnflushedBytes => true;

    public override long UnflushedBytes => response.Output.UnflushedBytes;

    /// <param name="promised">The length that the head names; negative when it names none.</param>
    public void Begin(DirectFraming framing, long promised, PipeWriter output)
    {
        (_framing, _output) = (framing, output);
        _most = promised < 0 ? long.MaxValue : promised;
        Written = 0;
    }

    /// <summary>The body was written with the head.</summary>
    public void BeginWritten(int length, PipeWriter output)
    {
        Begin(DirectFraming.AsIs, length, output);
        Written = length;
    }

    /// <summary>Where bytes of the body may go past this, told of with <see cref="Took"/>: as they are, to a socket of the loop; null where they may not.</summary>
    public EpollWriter? Socket => _framing == DirectFraming.AsIs ? _output as EpollWriter : null;

    /// <summary>So many bytes have gone to <see cref="Socket"/>; no more than the head promised.</summary>
    public void Took(int bytes) => Written += bytes;

    /// <summary>Writes what ends the body.</summary>
    public void End()
    {
        if (_framing != DirectFraming.Chunked) return;
        ReadOnlySpan<byte> last = "0\r\n\r\n"u8;
        last.CopyTo(_output.GetSpan(last.Length));
        _output.Advance(last.Length);
    }

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        response.StartOnce();
        if (_framing == DirectFraming.AsIs) return _output.GetMemory(sizeHint);
        if (_framing == DirectFraming.None) return Discarded(sizeHint);
        _lent = _output.GetMemory(Math.Max(sizeHint, 64) + ChunkHead + ChunkTail);
        return _lent[ChunkHead..^ChunkTail];
    }

    public override Span<byte> GetSpan(int sizeHint = 0)
    {
        if (_framing != DirectFraming.AsIs || !response.HasStarted) return GetMemory(sizeHint).Span;
        return _output.GetSpan(sizeHint);
    }

    /// <exception cref="HttpIOException">It would be more than the head promised: the client would take it for the next response. None of it is written.</exception>
    public override void Advance(int bytes)
    {
        if (_framing == DirectFraming.None)
        {
            Written += bytes;
            return;
        }
        if (bytes > _most - Written) TooMuch();
        Written += bytes;
        if (_framing == DirectFraming.AsIs || bytes == 0)
        {
            _output.Advance(bytes);
            return;
        }
        Span<byte> chunk = _lent.Span;
        _lent = default;
        bytes.TryFormat(chunk, out _, "X8");
        "\r\n"u8.CopyTo(chunk[8..]);
        "\r\n"u8.CopyTo(chunk[(ChunkHead + bytes)..]);
        _output.Advance(ChunkHead + bytes + ChunkTail);
    }

    /// <param name="cancellationToken">Ends the wait for a client that does not take what was written. Without one, the patience with the client does.</param>
    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        response.StartOnce();
        return cancellationToken.CanBeCanceled ? response.Output.FlushAsync(cancellationToken) : response.FlushAsync();
    }

    public override void CancelPendingFlush() => response.Output.CancelPendingFlush();

    /// <summary>The response ends with its request, not with this.</summary>
    public override void Complete(Exception? exception = null)
    {
    }

    private void TooMuch()
    {
        _output.Advance(0);
        throw new HttpIOException(HttpRequestError.InvalidResponse, "The response's body is longer than its Content-Length.");
    }

    // What nobody reads may be written by all at once.
    private static Memory<byte> Discarded(int sizeHint) => sizeHint <= Scrap.Length ? Scrap : new byte[sizeHint];
}
