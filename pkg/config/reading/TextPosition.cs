using System.Buffers;
using System.Text;

namespace Gateway.Config.Reading;

/// <summary>Byte offsets as lines and columns, both from 1; columns count characters.</summary>
internal static class TextPosition
{
    /// <summary>How messages end that have a place: <c> (line 3, column 7)</c>.</summary>
    public static string Suffix(ReadOnlySpan<byte> utf8, int offset) => Suffix(Of(utf8, offset));

    /// <inheritdoc cref="Suffix(ReadOnlySpan{byte}, int)"/>
    public static string Suffix((int Line, int Column) place) => $" (line {place.Line}, column {place.Column})";

    public static (int Line, int Column) Of(ReadOnlySpan<byte> utf8, int offset)
    {
        ReadOnlySpan<byte> before = utf8[..offset];
        int line = before.Count((byte)'\n') + 1;
        int column = 1;
        foreach (byte b in before[(before.LastIndexOf((byte)'\n') + 1)..])
            if ((b & 0xC0) != 0x80) column++;
        return (line, column);
    }

    /// <summary>The offset of the first byte that is no part of a UTF-8 character; the length when there is none.</summary>
    public static int FirstInvalid(ReadOnlySpan<byte> utf8)
    {
        int offset = 0;
        while (offset < utf8.Length && Rune.DecodeFromUtf8(utf8[offset..], out _, out int length) == OperationStatus.Done) offset += length;
        return Math.Min(offset, utf8.Length - 1);
    }
}
