using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Gateway.DataPlane.Obs;

/// <summary>How text that came from outside is kept from breaking out of its place in a line.</summary>
internal enum Escaping
{
    /// <summary>RFC 8259 section 7.</summary>
    Json,

    /// <summary>As nginx and Apache write NCSA lines: quote, backslash, space, controls and all beyond ASCII as <c>\xHH</c>.</summary>
    Ncsa,
}

/// <summary>Bytes of log lines on their way to the output. Not thread safe; grows to the longest batch and stays.</summary>
internal sealed class LineBuffer(int capacity = 96 * 1024)
{
    // What goes through a JSON string as it is.
    private static readonly SearchValues<char> JsonPlain = SearchValues.Create(Printable("\"\\"));
    private static readonly SearchValues<char> NcsaPlain = SearchValues.Create(Printable("\"\\ "));

    private byte[] _bytes = new byte[capacity];

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    public void Clear() => Length = 0;

    public void Byte(byte value) => Room(1)[Length++] = value;

    public void Ascii(ReadOnlySpan<byte> text)
    {
        text.CopyTo(Room(text.Length).AsSpan(Length));
        Length += text.Length;
    }

    /// <param name="value">At most <see cref="RequestId.MaxLength"/> bytes.</param>
    /// <param name="format">As its type takes it.</param>
    public void Number<T>(T value, ReadOnlySpan<char> format = default)
        where T : IUtf8SpanFormattable
    {
        byte[] to = Room(RequestId.MaxLength);
        _ = value.TryFormat(to.AsSpan(Length), out int written, format, System.Globalization.CultureInfo.InvariantCulture);
        Length += written;
    }

    /// <summary>Text from outside.</summary>
    public void Text(ReadOnlySpan<char> text, Escaping escaping)
    {
        SearchValues<char> plain = escaping == Escaping.Json ? JsonPlain : NcsaPlain;
        while (true)
        {
            int special = text.IndexOfAnyExcept(plain);
            ReadOnlySpan<char> head = special < 0 ? text : text[..special];
            Length += Encoding.ASCII.GetBytes(head, Room(head.Length).AsSpan(Length));
            if (special < 0) return;
            text = text[special..];
            // An unpaired surrogate decodes as U+FFFD.
            _ = Rune.DecodeFromUtf16(text, out Rune rune, out int consumed);
            if (escaping == Escaping.Json) JsonRune(rune);
            else NcsaRune(rune);
            text = text[consumed..];
        }
    }

    /// <summary>
    /// A header field as the server hands it over, one character per byte: written as the UTF-8 that it nearly always is, or else as the
    /// Latin-1 that RFC 9110 section 5.5 remembers.
    /// </summary>
    public void HeaderText(ReadOnlySpan<char> value, Escaping escaping)
    {
        if (escaping == Escaping.Json && !System.Text.Ascii.IsValid(value) && Utf8Of(value) is { } text) Text(text, escaping);
        else if (escaping == Escaping.Ncsa) Bytes(value);
        else Text(value, escaping);
    }

    private void Bytes(ReadOnlySpan<char> value)
    {
        foreach (char c in value)
        {
            if (c is > '\u007e' and <= '\u00ff') Hex((byte)c);
            else Text([c], Escaping.Ncsa);
        }
    }

    private static string? Utf8Of(ReadOnlySpan<char> value)
    {
        byte[] bytes = new byte[value.Length];
        for (int i = 0; i < value.Length; i++)
        {
            if (value[i] > 0xff) return null;
            bytes[i] = (byte)value[i];
        }
        return Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : null;
    }

    private void JsonRune(Rune rune)
    {
        switch (rune.Value)
        {
            case '"': Ascii("\\\""u8); return;
            case '\\': Ascii("\\\\"u8); return;
            case '\n': Ascii("\\n"u8); return;
            case '\r': Ascii("\\r"u8); return;
            case '\t': Ascii("\\t"u8); return;
        }
        // Controls must be escaped; DEL, the C1 controls and the line separators are, so that no terminal or reader takes them for more.
        if (rune.Value is < 0x20 or (>= 0x7f and < 0xa0) or 0x2028 or 0x2029)
        {
            Ascii("\\u"u8);
            Number(rune.Value, "x4");
            return;
        }
        Length += rune.EncodeToUtf8(Room(4).AsSpan(Length));
    }

    private void NcsaRune(Rune rune)
    {
        Span<byte> utf8 = stackalloc byte[4];
        foreach (byte b in utf8[..rune.EncodeToUtf8(utf8)]) Hex(b);
    }

    private void Hex(byte value)
    {
        Ascii("\\x"u8);
        Number(value, "X2");
    }

    private byte[] Room(int bytes)
    {
        if (_bytes.Length - Length < bytes) Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, Length + bytes));
        return _bytes;
    }

    private static char[] Printable(string except) => [.. Enumerable.Range(0x20, 0x5f).Select(static c => (char)c).Where(c => !except.Contains(c))];
}
