namespace Gateway.Core.Dns;

/// <summary>Names as messages hold them: labels, and pointers to where the rest of the name stands (RFC 1035 section 4.1.4).</summary>
internal static class DnsName
{
    public const int MaxLabel = 63;

    /// <summary>Bytes of a name in a message, with its lengths and the closing zero.</summary>
    public const int MaxWire = 255;

    /// <summary>Characters of a name without the closing dot.</summary>
    public const int MaxText = MaxWire - 2;

    /// <summary>
    /// Reads a name in lower case and leaves <paramref name="position"/> behind it. False for one that is no good: it runs out of the
    /// message, is too long, has bytes that no host name has, or points anywhere but backwards, which is what could go round for ever.
    /// </summary>
    public static bool TryRead(ReadOnlySpan<byte> message, ref int position, out string name)
    {
        Span<char> text = stackalloc char[MaxWire];
        int length = 0, at = position, limit = position, end = -1;
        name = "";
        while (true)
        {
            if (at >= message.Length) return false;
            int label = message[at];
            if (label >= 0xc0)
            {
                if (at + 1 >= message.Length) return false;
                if (end < 0) end = at + 2;
                at = ((label & 0x3f) << 8) | message[at + 1];
                if (at >= limit) return false;
                limit = at;
                continue;
            }
            at++;
            if (label == 0) break;
            if (label > MaxLabel || at + label > message.Length || length + label + 1 > MaxText + 1) return false;
            foreach (byte b in message.Slice(at, label))
            {
                if (b is <= (byte)' ' or >= 0x7f or (byte)'.') return false;
                text[length++] = char.ToLowerInvariant((char)b);
            }
            text[length++] = '.';
            at += label;
        }
        position = end < 0 ? at : end;
        name = length == 0 ? "" : new string(text[..(length - 1)]);
        return true;
    }
}
