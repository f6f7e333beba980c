using System.Text;
using Gateway.Core.Http1;

namespace Gateway.Core.Tests.Http1;

/// <summary>How far the bytes of one response led.</summary>
public enum ReadState
{
    /// <summary>More bytes may decide; nothing is wrong so far.</summary>
    Open,
    Malformed,

    /// <summary>The response has ended, and so has the reading; what follows is another's.</summary>
    Ended,
}

/// <summary>What was understood of one response: compared as text, so that a failure shows the difference.</summary>
public sealed record ReadResponse
{
    public ReadState State { get; init; }

    /// <summary>Status, version, fields, and how the body is framed; empty before the head is whole.</summary>
    public string Head { get; init; } = "";

    /// <summary>Latin-1.</summary>
    public string Body { get; init; } = "";
    public string Trailers { get; init; } = "";

    /// <summary>Bytes that belong to the response; only when it has ended.</summary>
    public int Consumed { get; init; }

    public override string ToString() => $"{State} at {Consumed}\n{Head}\nbody '{Body}'\ntrailers {Trailers}";

    public static string DescribeHead(int status, int minor, IEnumerable<(string Name, string Value, bool Hop)> fields, BodyKind kind, long length, bool persistent) =>
        $"{status} 1.{minor} {kind} {length} {(persistent ? "persistent" : "last")} {DescribeFields(fields)}";

    public static string DescribeFields(IEnumerable<(string Name, string Value, bool Hop)> fields) =>
        string.Concat(fields.Select(static f => $"[{f.Name}={f.Value}{(f.Hop ? " (hop)" : "")}]"));
}

/// <summary>
/// Reads one response with the codec as a connection does: the head from what has come so far, the body piece by piece, the trailers again
/// from what has come so far. How the bytes are cut into pieces must make no difference.
/// </summary>
internal sealed class CodecReader(bool toHead, bool toConnect, int maxFields)
{
    private readonly HeaderField[] _fields = new HeaderField[maxFields];
    private readonly List<byte> _pending = [];
    private readonly StringBuilder _body = new();
    private ChunkedDecoder _chunks;
    private BodyFraming _framing;
    private long _left;
    private bool _headDone;
    private bool _inTrailers;
    private int _consumed;
    private ReadState _state = ReadState.Open;
    private string _head = "", _trailers = "";

    /// <summary>Reads the bytes cut at the given places.</summary>
    public static ReadResponse Read(byte[] bytes, IEnumerable<int> cuts, bool toHead, bool toConnect, int maxFields)
    {
        var reader = new CodecReader(toHead, toConnect, maxFields);
        int at = 0;
        foreach (int cut in cuts.Append(bytes.Length))
        {
            reader.Feed(bytes.AsSpan(at, cut - at));
            at = cut;
        }
        return new ReadResponse
        {
            State = reader._state,
            Head = reader._head,
            Body = reader._body.ToString(),
            Trailers = reader._trailers,
            Consumed = reader._state == ReadState.Ended ? reader._consumed : 0,
        };
    }

    private void Feed(ReadOnlySpan<byte> piece)
    {
        if (_state != ReadState.Open) return;
        _pending.AddRange(piece);
        if (!_headDone && !ReadHead()) return;
        ReadBody();
    }

    private bool ReadHead()
    {
        byte[] bytes = [.. _pending];
        ParseStatus status = ResponseHead.Parse(bytes, _fields, out ResponseHead head);
        if (status.IsMalformed()) _state = ReadState.Malformed;
        if (status != ParseStatus.Complete) return false;
        _headDone = true;
        _framing = BodyFraming.OfResponse(head, toHead, toConnect);
        _left = _framing.Length;
        var fields = new List<(string, string, bool)>();
        foreach (HeaderField field in _fields.AsSpan(0, head.FieldCount))
            fields.Add((Text(field.Name(bytes)), Text(field.Value(bytes)), field.Kind == FieldKind.NamedByConnection));
        _head = ReadResponse.DescribeHead(head.Status, head.MinorVersion, fields, _framing.Kind, _framing.Length, head.IsPersistent);
        Consume(head.Length);
        return true;
    }

    private void ReadBody()
    {
        switch (_framing.Kind)
        {
            case BodyKind.Length:
                int run = (int)Math.Min(_left, _pending.Count);
                Take(0, run, run);
                _left -= run;
                break;
            case BodyKind.Chunked:
                ReadChunks();
                return;
            case BodyKind.UntilClose or BodyKind.Tunnel:
                Take(0, _pending.Count, _pending.Count);
                return;
        }
        if (_left <= 0) _state = ReadState.Ended;
    }

    private void ReadChunks()
    {
        while (!_inTrailers)
        {
            byte[] bytes = [.. _pending];
            ChunkEvent found = _chunks.Next(bytes, out int consumed, out int start);
            if (found == ChunkEvent.Malformed)
            {
                _state = ReadState.Malformed;
                return;
            }
            if (found == ChunkEvent.Data) Take(start, consumed, consumed);
            else Consume(consumed);
            if (found == ChunkEvent.NeedMore) return;
            _inTrailers = found == ChunkEvent.Trailers;
        }
        byte[] rest = [.. _pending];
        int position = 0;
        ParseStatus status = FieldParser.Parse(rest, ref position, _fields, out int count, out _);
        if (status.IsMalformed()) _state = ReadState.Malformed;
        if (status != ParseStatus.Complete) return;
        var fields = new List<(string, string, bool)>();
        foreach (HeaderField field in _fields.AsSpan(0, count)) fields.Add((Text(field.Name(rest)), Text(field.Value(rest)), field.Kind == FieldKind.NamedByConnection));
        _trailers = ReadResponse.DescribeFields(fields);
        Consume(position);
        _state = ReadState.Ended;
    }

    private void Take(int start, int end, int consumed)
    {
        _body.Append(Text([.. _pending[start..end]]));
        Consume(consumed);
    }

    private void Consume(int bytes)
    {
        _pending.RemoveRange(0, bytes);
        _consumed += bytes;
    }

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);
}
