using System.Buffers;
using System.Text;

namespace Gateway.Core.Http1;

/// <summary>The methods that a plain request may have.</summary>
public enum PlainMethod : byte
{
    Get,
    Head,
    Post,
    Put,
    Delete,
    Patch,
    Options,
}

/// <summary>What the request line says: places in the bytes that were parsed.</summary>
/// <param name="Method">The method.</param>
/// <param name="TargetStart">The target's first byte.</param>
/// <param name="TargetLength">Bytes of the target.</param>
/// <param name="FieldsStart">The first byte of the field section.</param>
public readonly record struct PlainLine(PlainMethod Method, int TargetStart, int TargetLength, int FieldsStart);

/// <summary>What the field section says.</summary>
/// <param name="Count">Fields.</param>
/// <param name="End">The first byte after the section's empty line.</param>
/// <param name="ContentLength">-1 when absent.</param>
/// <param name="Close">The client wants the connection closed after the response.</param>
public readonly record struct PlainFields(int Count, int End, long ContentLength, bool Close);

/// <summary>
/// Recognises requests that nobody can read in two ways: a whole head of HTTP/1.1 (RFC 9112) with a well-known method, a target in origin
/// form, one Host, every field once, no transfer coding, no upgrade, no expectation, nothing but printable ASCII. All else, also what is
/// merely unusual or has not come whole, is not plain: somebody with a complete parser must look at it from its first byte. So this never
/// has to decide what is malformed. Pure functions of the bytes.
/// </summary>
public static class PlainRequest
{
    // RFC 3986: unreserved, sub-delims, ":", "@", "/", "?", and what marks percent-encoding.
    private static readonly SearchValues<byte> Target =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/?%"u8);

    private static readonly SearchValues<byte> HostName = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._"u8);

    private static ReadOnlySpan<byte> LineTail => " HTTP/1.1\r"u8;

    /// <summary>False: not plain, or not all there.</summary>
    /// <param name="bytes">From the first byte of the request.</param>
    public static bool TryReadLine(ReadOnlySpan<byte> bytes, out PlainLine line)
    {
        line = default;
        int end = bytes.IndexOf((byte)'\n');
        if (end < 0 || !bytes[..end].EndsWith(LineTail)) return false;
        int method = MethodOf(bytes, out PlainMethod name);
        if (method == 0) return false;
        int start = method + 1, length = end - LineTail.Length - start;
        if (length <= 0 || bytes[start] != '/') return false;
        ReadOnlySpan<byte> target = bytes.Slice(start, length);
        // An encoded NUL is refused by those who decode the path.
        if (target.ContainsAnyExcept(Target) || target.IndexOf("%00"u8) >= 0) return false;
        line = new PlainLine(name, start, length, end + 1);
        return true;
    }

    /// <summary>False: not plain, or not all there.</summary>
    /// <param name="bytes">From the first byte of the request.</param>
    /// <param name="start">Where the field section begins: <see cref="PlainLine.FieldsStart"/>.</param>
    /// <param name="fields">Receives the fields; with more of them than it has room for, the request is not plain.</param>
    public static bool TryReadFields(ReadOnlySpan<byte> bytes, int start, Span<HeaderField> fields, out PlainFields section)
    {
        section = default;
        int position = start;
        if (FieldParser.Parse(bytes, ref position, fields, out int count, out FieldFacts facts) != ParseStatus.Complete) return false;
        if (facts.Chunked || facts.Upgrade || facts.NamesFields) return false;
        int hosts = 0;
        for (int i = 0; i < count; i++)
        {
            ref readonly HeaderField field = ref fields[i];
            if (field.Kind is not (FieldKind.Other or FieldKind.Connection or FieldKind.KeepAlive or FieldKind.ContentLength or FieldKind.TE)) return false;
            ReadOnlySpan<byte> name = field.Name(bytes), value = field.Value(bytes);
            if (value.ContainsAnyExceptInRange((byte)' ', (byte)'~')) return false;
            if (name.Length == 4 && Ascii.EqualsIgnoreCase(name, "host"u8))
            {
                if (!IsHost(value)) return false;
                hosts++;
            }
            else if (name.Length == 6 && Ascii.EqualsIgnoreCase(name, "expect"u8)) return false;
            for (int j = 0; j < i; j++)
            {
                if (fields[j].NameLength == name.Length && Ascii.EqualsIgnoreCase(fields[j].Name(bytes), name)) return false;
            }
        }
        if (hosts != 1) return false;
        section = new PlainFields(count, position, facts.ContentLength, facts.Close);
        return true;
    }

    /// <summary>The length of the method; 0 when it is none of the known ones followed by a space.</summary>
    private static int MethodOf(ReadOnlySpan<byte> bytes, out PlainMethod method)
    {
        (method, int length) = bytes.Length < 8 ? (default, 0) : bytes[0] switch
        {
            (byte)'G' when bytes.StartsWith("GET "u8) => (PlainMethod.Get, 3),
            (byte)'H' when bytes.StartsWith("HEAD "u8) => (PlainMethod.Head, 4),
            (byte)'P' when bytes.StartsWith("POST "u8) => (PlainMethod.Post, 4),
            (byte)'P' when bytes.StartsWith("PUT "u8) => (PlainMethod.Put, 3),
            (byte)'P' when bytes.StartsWith("PATCH "u8) => (PlainMethod.Patch, 5),
            (byte)'D' when bytes.StartsWith("DELETE "u8) => (PlainMethod.Delete, 6),
            (byte)'O' when bytes.StartsWith("OPTIONS "u8) => (PlainMethod.Options, 7),
            _ => (default, 0),
        };
        return length;
    }

    // A name or an IPv4 address, and perhaps a port; the rest of what RFC 3986 allows is rare.
    private static bool IsHost(ReadOnlySpan<byte> value)
    {
        int name = value.IndexOfAnyExcept(HostName);
        if (name < 0) return !value.IsEmpty;
        if (name == 0 || value[name] != ':') return false;
        ReadOnlySpan<byte> port = value[(name + 1)..];
        return port.Length is > 0 and <= 5 && !port.ContainsAnyExceptInRange((byte)'0', (byte)'9');
    }
}
