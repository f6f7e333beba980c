namespace Gateway.Core.Http1;

/// <summary>A response head inside the buffer it was parsed from.</summary>
public struct ResponseHead
{
    public int Status;

    /// <summary>The digit after <c>HTTP/1.</c>.</summary>
    public int MinorVersion;
    public int FieldCount;

    /// <summary>Bytes of the head with its closing empty line; the body starts here.</summary>
    public int Length;
    public FieldFacts Facts;

    /// <summary>The connection may carry another request once this response has ended (RFC 9112 section 9.3).</summary>
    public readonly bool IsPersistent => !Facts.Close && (MinorVersion >= 1 || Facts.KeepAlive);

    public readonly bool IsInterim => Status < 200 && Status != 101;

    /// <summary>Parses a head from the start of <paramref name="bytes"/>; call again with more bytes after <see cref="ParseStatus.NeedMore"/>.</summary>
    /// <param name="fields">Receives the fields; its length is the limit on their number.</param>
    public static ParseStatus Parse(ReadOnlySpan<byte> bytes, Span<HeaderField> fields, out ResponseHead head)
    {
        head = default;
        // HTTP/1.x SP 3DIGIT: what is there of it must be right, so that garbage is refused at its first byte.
        ReadOnlySpan<byte> start = "HTTP/1."u8;
        int compared = Math.Min(bytes.Length, start.Length);
        if (!bytes[..compared].SequenceEqual(start[..compared])) return ParseStatus.BadStartLine;
        if (bytes.Length < 12) return bytes.Length > 8 && bytes[8] != ' ' ? ParseStatus.BadStartLine : ParseStatus.NeedMore;
        int minor = bytes[7] - '0';
        int a = bytes[9] - '0', b = bytes[10] - '0', c = bytes[11] - '0';
        if ((uint)minor > 9 || bytes[8] != ' ') return ParseStatus.BadStartLine;
        if ((uint)a > 9 || (uint)b > 9 || (uint)c > 9) return ParseStatus.BadStatusCode;
        head.MinorVersion = minor;
        head.Status = a * 100 + b * 10 + c;
        if (head.Status is < 100 or > 599) return ParseStatus.BadStatusCode;

        // The reason phrase means nothing (RFC 9112 section 4), but it must not hide a line end.
        int line = bytes[12..].IndexOfAny((byte)'\r', (byte)'\n', (byte)0);
        if (bytes.Length > 12 && bytes[12] is not ((byte)' ' or (byte)'\r')) return ParseStatus.BadStartLine;
        if (line < 0) return ParseStatus.NeedMore;
        int position = 12 + line;
        if (bytes[position] != '\r') return ParseStatus.BareLineEnd;
        if (position + 1 >= bytes.Length) return ParseStatus.NeedMore;
        if (bytes[position + 1] != '\n') return ParseStatus.BareLineEnd;
        position += 2;

        ParseStatus status = FieldParser.Parse(bytes, ref position, fields, out head.FieldCount, out head.Facts);
        if (status != ParseStatus.Complete) return status;
        head.Length = position;
        // A sender of HTTP/1.0 does not know chunks, and 1xx and 204 have no body: framing that says otherwise is faulty (RFC 9112 section 6.1).
        if (head.Facts.Chunked && (minor == 0 || head.Status is < 200 or 204)) return ParseStatus.UnsupportedTransferEncoding;
        return ParseStatus.Complete;
    }
}
