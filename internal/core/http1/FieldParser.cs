using System.Buffers;
using System.Text;

namespace Gateway.Core.Http1;

/// <summary>What the field section says about framing and the connection.</summary>
public struct FieldFacts
{
    /// <summary>-1 when absent.</summary>
    public long ContentLength;
    public bool Chunked;
    public bool Close;
    public bool KeepAlive;
    public bool Upgrade;

    /// <summary>Connection names fields other than close, keep-alive and upgrade.</summary>
    public bool NamesFields;
}

/// <summary>
/// Parses a field section strictly (RFC 9112 section 5): CRLF only, no folding, no white space before the colon, no control characters.
/// A pure function of the bytes, shared by response heads, trailers and, later, request heads.
/// </summary>
public static class FieldParser
{
    private static readonly SearchValues<byte> Token =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    // Everything below space but HTAB, and DEL: ends a value, and only CR may.
    private static readonly SearchValues<byte> Control =
        SearchValues.Create([0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 127]);

    /// <summary>Parses field lines from <paramref name="position"/> to the empty line that ends them.</summary>
    /// <param name="head">The bytes received so far, from the start of the message.</param>
    /// <param name="position">The first byte of the section; on return, the first byte after its empty line.</param>
    /// <param name="fields">Receives the fields; its length is the limit.</param>
    public static ParseStatus Parse(ReadOnlySpan<byte> head, ref int position, Span<HeaderField> fields, out int count, out FieldFacts facts)
    {
        facts = new FieldFacts { ContentLength = -1 };
        count = 0;
        int at = position;
        while (true)
        {
            if (at >= head.Length) return ParseStatus.NeedMore;
            if (head[at] == '\r')
            {
                if (at + 1 >= head.Length) return ParseStatus.NeedMore;
                if (head[at + 1] != '\n') return ParseStatus.BareLineEnd;
                position = at + 2;
                break;
            }

            ReadOnlySpan<byte> line = head[at..];
            int nameLength = line.IndexOfAnyExcept(Token);
            if (nameLength < 0) return ParseStatus.NeedMore;
            if (line[nameLength] != ':' || nameLength == 0) return BadName(line, nameLength, count);

            int value = nameLength + 1;
            while (value < line.Length && line[value] is (byte)' ' or (byte)'\t') value++;
            int length = line[value..].IndexOfAny(Control);
            if (length < 0) return ParseStatus.NeedMore;
            int end = value + length;
            if (line[end] != '\r') return line[end] == '\n' ? ParseStatus.BareLineEnd : ParseStatus.BadFieldValue;
            if (end + 1 >= line.Length) return ParseStatus.NeedMore;
            if (line[end + 1] != '\n') return ParseStatus.BareLineEnd;
            if (count == fields.Length) return ParseStatus.TooManyFields;

            int next = at + end + 2;
            while (end > value && line[end - 1] is (byte)' ' or (byte)'\t') end--;
            ref HeaderField field = ref fields[count++];
            field = new HeaderField { NameStart = at, NameLength = nameLength, ValueStart = at + value, ValueLength = end - value };
            ParseStatus known = Recognise(line[..nameLength], line[value..end], ref field, ref facts);
            if (known != ParseStatus.Complete) return known;
            at = next;
        }

        if (facts.Chunked && facts.ContentLength >= 0) return ParseStatus.LengthAndTransferEncoding;
        if (facts.NamesFields) MarkNamedFields(head, fields[..count]);
        return ParseStatus.Complete;
    }

    private static ParseStatus BadName(ReadOnlySpan<byte> line, int nameLength, int count) => line[nameLength] switch
    {
        (byte)' ' or (byte)'\t' when nameLength == 0 && count > 0 => ParseStatus.ObsoleteFold,
        (byte)'\n' => ParseStatus.BareLineEnd,
        _ => ParseStatus.BadFieldName,
    };

    private static ParseStatus Recognise(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, ref HeaderField field, ref FieldFacts facts)
    {
        switch (name.Length)
        {
            case 2 when Ascii.EqualsIgnoreCase(name, "te"u8):
                field.Kind = FieldKind.TE;
                break;
            case 7 when Ascii.EqualsIgnoreCase(name, "trailer"u8):
                field.Kind = FieldKind.Trailer;
                break;
            case 7 when Ascii.EqualsIgnoreCase(name, "upgrade"u8):
                field.Kind = FieldKind.Upgrade;
                break;
            case 10 when Ascii.EqualsIgnoreCase(name, "connection"u8):
                field.Kind = FieldKind.Connection;
                ReadConnection(value, ref facts);
                break;
            case 10 when Ascii.EqualsIgnoreCase(name, "keep-alive"u8):
                field.Kind = FieldKind.KeepAlive;
                break;
            case 14 when Ascii.EqualsIgnoreCase(name, "content-length"u8):
                field.Kind = FieldKind.ContentLength;
                return ReadContentLength(value, ref facts);
            case 16 when Ascii.EqualsIgnoreCase(name, "proxy-connection"u8):
                field.Kind = FieldKind.ProxyConnection;
                break;
            case 17 when Ascii.EqualsIgnoreCase(name, "transfer-encoding"u8):
                field.Kind = FieldKind.TransferEncoding;
                // Chunked alone: whatever else is applied, or applied twice, is a way to disagree about where the message ends.
                if (facts.Chunked || !Ascii.EqualsIgnoreCase(value, "chunked"u8)) return ParseStatus.UnsupportedTransferEncoding;
                facts.Chunked = true;
                break;
            case 18 when Ascii.EqualsIgnoreCase(name, "proxy-authenticate"u8):
                field.Kind = FieldKind.ProxyAuthenticate;
                break;
        }
        return ParseStatus.Complete;
    }

    // One length, once. Repeated equal values may be tolerated (RFC 9112 section 6.3, item 5), but who repeats them is not to be trusted with framing.
    private static ParseStatus ReadContentLength(ReadOnlySpan<byte> value, ref FieldFacts facts)
    {
        if (!TryReadDecimal(value, out long length)) return ParseStatus.BadContentLength;
        if (facts.ContentLength >= 0) return ParseStatus.ConflictingContentLength;
        facts.ContentLength = length;
        return ParseStatus.Complete;
    }

    private static bool TryReadDecimal(ReadOnlySpan<byte> digits, out long number)
    {
        number = 0;
        if (digits.IsEmpty || digits.Length > 18) return false;
        foreach (byte digit in digits)
        {
            if (digit is < (byte)'0' or > (byte)'9') return false;
            number = number * 10 + (digit - '0');
        }
        return true;
    }

    private static void ReadConnection(ReadOnlySpan<byte> value, ref FieldFacts facts)
    {
        foreach (Range range in value.Split((byte)','))
        {
            ReadOnlySpan<byte> option = value[range].Trim(" \t"u8);
            if (option.IsEmpty) continue;
            if (Ascii.EqualsIgnoreCase(option, "close"u8)) facts.Close = true;
            else if (Ascii.EqualsIgnoreCase(option, "keep-alive"u8)) facts.KeepAlive = true;
            else if (Ascii.EqualsIgnoreCase(option, "upgrade"u8)) facts.Upgrade = true;
            else facts.NamesFields = true;
        }
    }

    private static void MarkNamedFields(ReadOnlySpan<byte> head, Span<HeaderField> fields)
    {
        foreach (ref HeaderField field in fields)
        {
            if (field.Kind != FieldKind.Other) continue;
            foreach (ref HeaderField connection in fields)
            {
                if (connection.Kind != FieldKind.Connection || !Names(connection.Value(head), field.Name(head))) continue;
                field.Kind = FieldKind.NamedByConnection;
                break;
            }
        }
    }

    private static bool Names(ReadOnlySpan<byte> connection, ReadOnlySpan<byte> name)
    {
        foreach (Range range in connection.Split((byte)','))
        {
            if (Ascii.EqualsIgnoreCase(connection[range].Trim(" \t"u8), name)) return true;
        }
        return false;
    }
}
