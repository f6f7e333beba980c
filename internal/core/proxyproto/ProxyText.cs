using System.Buffers;
using System.Net;
using System.Net.Sockets;

namespace Gateway.Core.ProxyProto;

/// <summary>Version 1 (section 2.1): <c>PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 CRLF</c>, one space between, no leading zeros.</summary>
internal static class ProxyText
{
    /// <summary>Of a whole line, by the spec; CRLF included.</summary>
    private const int MaxLength = 107;

    private static readonly SearchValues<byte> V6Characters = SearchValues.Create("0123456789abcdefABCDEF:."u8);

    public static ReadOnlySpan<byte> Signature => "PROXY "u8;

    public static ProxyHeaderStatus Parse(ReadOnlySpan<byte> bytes, out ProxyHeader header)
    {
        header = default;
        if (ProxyHeader.Recognise(bytes, Signature) is { } early) return early;
        ReadOnlySpan<byte> line = bytes[..Math.Min(bytes.Length, MaxLength)];
        int end = line.IndexOfAny((byte)'\r', (byte)'\n');
        if (end < 0 || (end == line.Length - 1 && line[end] == '\r'))
            return line.Length < MaxLength ? ProxyHeaderStatus.NeedMore : ProxyHeaderStatus.Malformed;
        if (line[end] != '\r' || line[end + 1] != '\n') return ProxyHeaderStatus.Malformed;
        return Read(line[Signature.Length..end], end + 2, out header) ? ProxyHeaderStatus.Complete : ProxyHeaderStatus.Malformed;
    }

    private static bool Read(ReadOnlySpan<byte> rest, int length, out ProxyHeader header)
    {
        header = new ProxyHeader(null, null, IsLocal: false, IsUnix: false, length);
        ReadOnlySpan<byte> family = Next(ref rest, out bool more);
        // Whatever follows UNKNOWN is to be ignored.
        if (family.SequenceEqual("UNKNOWN"u8)) return true;
        bool v4 = family.SequenceEqual("TCP4"u8);
        if (!more || (!v4 && !family.SequenceEqual("TCP6"u8))) return false;

        if (!TryAddress(Next(ref rest, out more), v4, out IPAddress? source) || !more) return false;
        if (!TryAddress(Next(ref rest, out more), v4, out IPAddress? destination) || !more) return false;
        if (!TryNumber(Next(ref rest, out more), ushort.MaxValue, out int sourcePort) || !more) return false;
        if (!TryNumber(Next(ref rest, out more), ushort.MaxValue, out int destinationPort) || more) return false;
        header = header with { Source = new IPEndPoint(source, sourcePort), Destination = new IPEndPoint(destination, destinationPort) };
        return true;
    }

    private static ReadOnlySpan<byte> Next(ref ReadOnlySpan<byte> rest, out bool more)
    {
        int space = rest.IndexOf((byte)' ');
        more = space >= 0;
        ReadOnlySpan<byte> word = more ? rest[..space] : rest;
        rest = more ? rest[(space + 1)..] : default;
        return word;
    }

    private static bool TryAddress(ReadOnlySpan<byte> text, bool v4, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out IPAddress? address)
    {
        address = null;
        if (v4) return TryV4(text, out address);
        // No brackets, no zone, no port: .NET's parser would take them.
        if (text.ContainsAnyExcept(V6Characters) || !text.Contains((byte)':')) return false;
        if (!IPAddress.TryParse(text, out address) || address.AddressFamily != AddressFamily.InterNetworkV6) return false;
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        return true;
    }

    // Four decimal numbers: .NET's parser takes octal, hexadecimal and fewer parts too.
    private static bool TryV4(ReadOnlySpan<byte> text, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out IPAddress? address)
    {
        address = null;
        Span<byte> parts = stackalloc byte[4];
        for (int i = 0; i < 4; i++)
        {
            int dot = i < 3 ? text.IndexOf((byte)'.') : text.Length;
            if (dot < 0 || !TryNumber(text[..dot], byte.MaxValue, out int part)) return false;
            parts[i] = (byte)part;
            if (i < 3) text = text[(dot + 1)..];
        }
        address = new IPAddress(parts);
        return true;
    }

    private static bool TryNumber(ReadOnlySpan<byte> digits, int most, out int number)
    {
        number = 0;
        if (digits.IsEmpty || digits.Length > 5 || (digits.Length > 1 && digits[0] == '0')) return false;
        foreach (byte digit in digits)
        {
            if (digit is < (byte)'0' or > (byte)'9') return false;
            number = number * 10 + (digit - '0');
        }
        return number <= most;
    }
}
