using System.Runtime.CompilerServices;
using Gateway.Core.Http1;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Proxy.Http1;

/// <summary>
/// Reads one response from a connection: its head into a buffer of its own, then its body, as a stream without its framing, straight into
/// the reader's memory. Reused for the next response; holds a buffer only from the first byte that comes to <see cref="End"/>.
/// </summary>
internal sealed partial class Http1Response : Stream
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
