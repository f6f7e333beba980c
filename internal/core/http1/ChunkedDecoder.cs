namespace Gateway.Core.Http1;

/// <summary>What <see cref="ChunkedDecoder.Next"/> found.</summary>
public enum ChunkEvent : byte
{
    /// <summary>All bytes given were consumed; give more.</summary>
    NeedMore,

    /// <summary>A run of body bytes.</summary>
    Data,

    /// <summary>The last chunk: what follows is the trailer section, which <see cref="FieldParser"/> reads.</summary>
    Trailers,
    Malformed,
}

/// <summary>
/// Takes the chunked coding off (RFC 9112 section 7.1), as bytes come, without copying. Strict where leniency is a way to smuggle: CRLF
/// only, no sign, no overflow; tolerant of white space after the size and of extensions, within a bound.
/// </summary>
public struct ChunkedDecoder
{
    // One chunk's extensions; they mean nothing to anyone, so a flood of them is an attack.
    private const int MaxExtensionBytes = 1024;

    // As many as the largest size has.
    private const int MaxSizeDigits = 16;

    private enum State : byte
    {
        Size,
        SizeRest,
        Space,
        Extension,
        SizeLineFeed,
        Data,
        DataReturn,
        DataLineFeed,
        Trailers,
    }

    private State _state;
    private long _left;
    private int _digits;
    private int _extensionBytes;

    /// <summary>Why <see cref="ChunkEvent.Malformed"/> was returned.</summary>
    public ParseStatus Error { get; private set; }

    /// <summary>Reads on. Call again with what was not consumed until it answers other than <see cref="ChunkEvent.Data"/>.</summary>
    /// <param name="consumed">Bytes of <paramref name="input"/> done with, data included.</param>
    /// <param name="dataStart">Where the run of body bytes starts in <paramref name="input"/>; it ends at <paramref name="consumed"/>.</param>
    public ChunkEvent Next(ReadOnlySpan<byte> input, out int consumed, out int dataStart)
    {
        dataStart = 0;
        int at = 0;
        while (at < input.Length)
        {
            byte b = input[at];
            switch (_state)
            {
                case State.Size:
                    int digit = HexDigit(b);
                    if (digit < 0) return Fail(ParseStatus.BadChunkSize, out consumed);
                    _left = digit;
                    _digits = 1;
                    _extensionBytes = 0;
                    _state = State.SizeRest;
                    at++;
                    break;

                case State.SizeRest:
                    digit = HexDigit(b);
                    if (digit >= 0)
                    {
                        // Leading zeros are allowed, but not as a way to say nothing for ever.
                        if (_left > long.MaxValue >> 4 || ++_digits > MaxSizeDigits) return Fail(ParseStatus.BadChunkSize, out consumed);
                        _left = (_left << 4) | (uint)digit;
                    }
                    else if (!EndOfSize(b)) return Fail(ParseStatus.BadChunkSize, out consumed);
                    at++;
                    break;

                case State.Space:
                    if (++_extensionBytes > MaxExtensionBytes) return Fail(ParseStatus.ChunkExtensionTooLong, out consumed);
                    if (!EndOfSize(b)) return Fail(ParseStatus.BadChunkSize, out consumed);
                    at++;
                    break;

                case State.Extension:
                    if (++_extensionBytes > MaxExtensionBytes) return Fail(ParseStatus.ChunkExtensionTooLong, out consumed);
                    if (b == '\r') _state = State.SizeLineFeed;
                    else if (b is < 32 and not (byte)'\t' or 127) return Fail(ParseStatus.BareLineEnd, out consumed);
                    at++;
                    break;

                case State.SizeLineFeed:
                    if (b != '\n') return Fail(ParseStatus.BareLineEnd, out consumed);
                    at++;
                    if (_left == 0)
                    {
                        _state = State.Trailers;
                        consumed = at;
                        return ChunkEvent.Trailers;
                    }
                    _state = State.Data;
                    break;

                case State.Data:
                    int run = (int)Math.Min(_left, input.Length - at);
                    _left -= run;
                    if (_left == 0) _state = State.DataReturn;
                    dataStart = at;
                    consumed = at + run;
                    return ChunkEvent.Data;

                case State.DataReturn:
                    if (b != '\r') return Fail(ParseStatus.BadChunkEnd, out consumed);
                    _state = State.DataLineFeed;
                    at++;
                    break;

                case State.DataLineFeed:
                    if (b != '\n') return Fail(ParseStatus.BadChunkEnd, out consumed);
                    _state = State.Size;
                    at++;
                    break;

                default:
                    consumed = at;
                    return ChunkEvent.Trailers;
            }
        }
        consumed = at;
        return _state == State.Trailers ? ChunkEvent.Trailers : ChunkEvent.NeedMore;
    }

    private bool EndOfSize(byte b)
    {
        switch (b)
        {
            case (byte)'\r': _state = State.SizeLineFeed; return true;
            case (byte)';': _state = State.Extension; return true;
            case (byte)' ' or (byte)'\t': _state = State.Space; return true;
            default: return false;
        }
    }

    private ChunkEvent Fail(ParseStatus error, out int consumed)
    {
        Error = error;
        consumed = 0;
        return ChunkEvent.Malformed;
    }

    private static int HexDigit(byte b) => b switch
    {
        >= (byte)'0' and <= (byte)'9' => b - '0',
        >= (byte)'a' and <= (byte)'f' => b - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => b - 'A' + 10,
        _ => -1,
    };
}
