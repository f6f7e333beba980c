using System.Buffers;

namespace Gateway.Core.Router;

/// <summary>
/// The forms of a path that routes are matched on. The path that goes upstream is never changed by any of this.
/// <para>
/// The <b>strict</b> form is RFC 3986 section 6.2.2: percent-encoded unreserved characters decoded (<c>%2e</c> is a dot), other
/// encodings kept with upper-case hex digits, dot segments removed, <c>..</c> above the root dropped. Empty segments, encoded slashes,
/// backslashes and semicolons are ordinary characters in it, and a broken encoding stays as it is. Decoding happens once: <c>%252e</c>
/// is the text <c>%2e</c>.
/// </para>
/// <para>
/// Many upstreams read more into a path: <c>%2F</c>, <c>%5C</c> and backslash as separators, <c>//</c> as one slash, <c>;text</c> as a
/// parameter of its segment that is cut off (nginx, IIS and Tomcat each do some of it). The <b>lax</b> form is what the most generous
/// of them makes of the path. A path whose two forms choose different routes would let a client pick the route by one reading and be
/// served by the other (<c>/public/..%2fadmin</c>, <c>/public/..;/admin</c>, <c>//admin</c>), so it matches no route at all: see
/// <see cref="RouteTable{T}"/>.
/// </para>
/// </summary>
internal static class PathForm
{
    // Printable ASCII less what can make a form differ from the raw text.
    private static readonly SearchValues<char> Plain = SearchValues.Create(
        "!\"#$&'()*+,-./0123456789:<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~");

    /// <summary>True when the raw path is both of its forms, as nearly all are. May be false for some that are.</summary>
    public static bool IsPlain(ReadOnlySpan<char> raw) =>
        raw.IndexOfAnyExcept(Plain) < 0 && raw.IndexOf("/.", StringComparison.Ordinal) < 0 && raw.IndexOf("//", StringComparison.Ordinal) < 0;

    /// <summary>Writes the strict form of a path that starts with a slash. <paramref name="to"/> is at least as long as the path.</summary>
    /// <returns>The form's length, at least 1.</returns>
    public static int Strict(ReadOnlySpan<char> raw, Span<char> to, out bool hasLaxReading)
    {
        int length = Decode(raw, to, out hasLaxReading);
        return RemoveDotSegments(to[..length]);
    }

    /// <summary>Writes the lax form; the same conditions as for <see cref="Strict"/>.</summary>
    public static int Lax(ReadOnlySpan<char> raw, Span<char> to)
    {
        int length = Decode(raw, to, out _);
        Span<char> path = to[..length];
        int write = 0;
        for (int read = 0; read < path.Length; read++)
        {
            char c = path[read];
            if (c == '%' && read + 2 < path.Length && (path[read + 1], path[read + 2]) is ('2', 'F') or ('5', 'C'))
            {
                c = '/';
                read += 2;
            }
            path[write++] = c == '\\' ? '/' : c;
        }
        path = path[..write];

        write = 0;
        for (int start = 0; start < path.Length;)
        {
            int end = SegmentEnd(path, start);
            ReadOnlySpan<char> segment = path[(start + 1)..end];
            int parameter = segment.IndexOf(';');
            if (parameter >= 0) segment = segment[..parameter];
            write = Append(path, write, segment, isLast: end == path.Length, skip: segment.Length == 0);
            start = end;
        }
        return write;
    }

    /// <summary>The path of a rule in strict form: also with characters beyond ASCII percent-encoded, as clients send them.</summary>
    public static string OfRule(string path)
    {
        if (!System.Text.Ascii.IsValid(path)) path = Encode(path);
        if (IsPlain(path)) return path;
        char[] buffer = new char[path.Length];
        return new string(buffer, 0, Strict(path, buffer, out _));
    }

    /// <summary>The strict form of a request's path as a text.</summary>
    public static string OfRequest(ReadOnlySpan<char> raw)
    {
        if (IsPlain(raw)) return raw.ToString();
        char[] buffer = new char[raw.Length];
        return new string(buffer, 0, Strict(raw, buffer, out _));
    }

    public static string LaxOfRule(string strict)
    {
        if (IsPlain(strict)) return strict;
        char[] buffer = new char[strict.Length];
        return new string(buffer, 0, Lax(strict, buffer));
    }

    /// <summary>Whole leading segments; the prefix has no final slash.</summary>
    public static bool IsUnder(ReadOnlySpan<char> path, ReadOnlySpan<char> prefix) =>
        path.StartsWith(prefix) && (path.Length == prefix.Length || path[prefix.Length] == '/');

    private static int Decode(ReadOnlySpan<char> raw, Span<char> to, out bool hasLaxReading)
    {
        int write = 0;
        hasLaxReading = false;
        for (int read = 0; read < raw.Length; read++)
        {
            char c = raw[read];
            if (c == '%' && read + 2 < raw.Length && HexPair.TryDecode(raw[read + 1], raw[read + 2], out byte value))
            {
                if (IsUnreserved(value))
                {
                    c = (char)value;
                }
                else
                {
                    hasLaxReading |= value is (byte)'/' or (byte)'\\';
                    to[write++] = '%';
                    to[write++] = HexPair.Upper(raw[read + 1]);
                    c = HexPair.Upper(raw[read + 2]);
                }
                read += 2;
            }
            else
            {
                hasLaxReading |= c is '\\' or ';' || (c == '/' && write != 0 && to[write - 1] == '/');
            }
            to[write++] = c;
        }
        return write;
    }

    private static int RemoveDotSegments(Span<char> path)
    {
        int write = 0;
        for (int start = 0; start < path.Length;)
        {
            int end = SegmentEnd(path, start);
            write = Append(path, write, path[(start + 1)..end], isLast: end == path.Length, skip: false);
            start = end;
        }
        return write;
    }

    private static int SegmentEnd(ReadOnlySpan<char> path, int slash)
    {
        int next = path[(slash + 1)..].IndexOf('/');
        return next < 0 ? path.Length : slash + 1 + next;
    }

    // Appends "/segment" to what is already written at the front of the path; the segment lies at or behind the place it is written to.
    private static int Append(Span<char> path, int write, ReadOnlySpan<char> segment, bool isLast, bool skip)
    {
        bool up = segment is "..";
        if (up) write = write == 0 ? 0 : path[..write].LastIndexOf('/');
        if (up || skip || segment is ".")
        {
            // A path that ends in a dot segment names a folder.
            if (isLast) path[write++] = '/';
            return write;
        }
        segment.CopyTo(path[(write + 1)..]);
        path[write] = '/';
        return write + 1 + segment.Length;
    }

    private static bool IsUnreserved(byte c) => char.IsAsciiLetterOrDigit((char)c) || c is (byte)'-' or (byte)'.' or (byte)'_' or (byte)'~';

    private static string Encode(string path)
    {
        var text = new System.Text.StringBuilder(path.Length + 16);
        foreach (byte b in System.Text.Encoding.UTF8.GetBytes(path))
        {
            if (b < 0x80) text.Append((char)b);
            else text.Append('%').Append(b.ToString("X2", System.Globalization.CultureInfo.InvariantCulture));
        }
        return text.ToString();
    }
}
