using System.Text;

namespace Gateway.Core.Router;

/// <summary>Decodes names and values of a query string: percent-encoded octets, and <c>+</c> for a space. A broken encoding is itself.</summary>
internal static class FormText
{
    /// <summary>A character becomes at most three octets of UTF-8.</summary>
    public static int MaxDecodedLength(int chars) => chars * 3;

    public static int Decode(ReadOnlySpan<char> raw, Span<byte> to)
    {
        int write = 0;
        Span<byte> octets = stackalloc byte[4];
        while (raw.Length != 0)
        {
            int count = Next(ref raw, octets);
            octets[..count].CopyTo(to[write..]);
            write += count;
        }
        return write;
    }

    public static bool DecodedEquals(ReadOnlySpan<char> raw, ReadOnlySpan<byte> expected)
    {
        Span<byte> octets = stackalloc byte[4];
        while (raw.Length != 0)
        {
            int count = Next(ref raw, octets);
            if (!expected.StartsWith(octets[..count])) return false;
            expected = expected[count..];
        }
        return expected.Length == 0;
    }

    private static int Next(ref ReadOnlySpan<char> raw, scoped Span<byte> to)
    {
        char c = raw[0];
        int used = 1, count = 1;
        if (c == '%' && raw.Length > 2 && HexPair.TryDecode(raw[1], raw[2], out to[0]))
        {
            used = 3;
        }
        else if (c < 0x80)
        {
            to[0] = c == '+' ? (byte)' ' : (byte)c;
        }
        else
        {
            Rune.DecodeFromUtf16(raw, out Rune rune, out used);
            count = rune.EncodeToUtf8(to);
        }
        raw = raw[used..];
        return count;
    }
}
