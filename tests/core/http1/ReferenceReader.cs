using System.Globalization;
using System.Numerics;
using System.Text.RegularExpressions;
using Gateway.Core.Http1;

namespace Gateway.Core.Tests.Http1;

/// <summary>
/// The rules of RFC 9112 for a response, with the strictness that the codec promises, once more and as plainly as can be: regular
/// expressions over text, the whole of it at once. Shares nothing with the codec but the names of the kinds of body. Where the bytes stop in
/// the middle of a line it does not judge: <see cref="Undecided"/>.
/// </summary>
internal sealed partial class ReferenceReader(bool toHead, bool toConnect, int maxFields)
{
    [GeneratedRegex(@"\AHTTP/1\.([0-9]) ([1-5][0-9][0-9])(?: [^\r\n\0]*)?\z")]
    private static partial Regex StatusLine();

    // No white space before the colon or at the start, no controls but HTAB in the value.
    [GeneratedRegex(@"\A([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*\z")]
    private static partial Regex FieldLine();

    [GeneratedRegex(@"\A([0-9a-fA-F]{1,16})([ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?)\r\n")]
    private static partial Regex ChunkLine();

    /// <summary>A line has not ended: the codec may have refused it already, or wait for its end.</summary>
    public bool Undecided { get; private set; }

    public ReadResponse Read(string text)
    {
        if (!TrySection(text, out string[] lines, out int headEnd, out bool bad)) return new ReadResponse { State = bad ? ReadState.Malformed : ReadState.Open };
        Match start = StatusLine().Match(lines[0]);
        if (!start.Success || !TryFields(lines[1..], out List<(string Name, string Value, bool Hop)> fields)) return new ReadResponse { State = ReadState.Malformed };
        int minor = int.Parse(start.Groups[1].Value, CultureInfo.InvariantCulture), status = int.Parse(start.Groups[2].Value, CultureInfo.InvariantCulture);
        string[] Values(string name) => [.. fields.Where(f => f.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(f => f.Value)];
        bool chunked = Values("Transfer-Encoding").Length > 0;
        if (chunked && (minor == 0 || status < 200 || status == 204)) return new ReadResponse { State = ReadState.Malformed };

        long length = Values("Content-Length") is [var only] ? long.Parse(only, CultureInfo.InvariantCulture) : -1;
        string[] options = [.. Values("Connection").SelectMany(v => v.Split(',')).Select(o => o.Trim(' ', '\t').ToLowerInvariant())];
        bool persistent = !options.Contains("close") && (minor >= 1 || options.Contains("keep-alive"));
        (BodyKind kind, long framed) =
            status == 101 || (toConnect && status is >= 200 and < 300) ? (BodyKind.Tunnel, 0L)
            : toHead || status < 200 || status is 204 or 304 ? (BodyKind.None, 0L)
            : chunked ? (BodyKind.Chunked, -1L)
            : length >= 0 ? (BodyKind.Length, length)
            : (BodyKind.UntilClose, -1L);

        var read = new ReadResponse { Head = ReadResponse.DescribeHead(status, minor, fields, kind, framed, persistent) };
        string rest = text[headEnd..];
        return kind switch
        {
            BodyKind.None => read with { State = ReadState.Ended, Consumed = headEnd },
            BodyKind.Length when rest.Length >= length => read with { State = ReadState.Ended, Body = rest[..(int)length], Consumed = headEnd + (int)length },
            BodyKind.Chunked => ReadChunks(read, text, headEnd),
            _ => read with { Body = rest },
        };
    }

    private ReadResponse ReadChunks(ReadResponse read, string text, int at)
    {
        string body = "";
        while (true)
        {
            Match line = ChunkLine().Match(text[at..]);
            if (!line.Success)
            {
                Undecided = !text[at..].Contains('\n', StringComparison.Ordinal);
                return read with { Body = body, State = Undecided ? ReadState.Open : ReadState.Malformed };
            }
            var size = BigInteger.Parse("0" + line.Groups[1].Value, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            // What follows the size means nothing, and is bounded.
            if (size > long.MaxValue || line.Groups[2].Length > 1024) return read with { Body = body, State = ReadState.Malformed };
            at += line.Length;
            if (size.IsZero) return ReadTrailers(read with { Body = body }, text, at);
            int run = (int)BigInteger.Min(size, text.Length - at);
            body += text.Substring(at, run);
            at += run;
            if (run < size) return read with { Body = body };
            string end = text.Substring(at, Math.Min(2, text.Length - at));
            if (!"\r\n".StartsWith(end, StringComparison.Ordinal)) return read with { Body = body, State = ReadState.Malformed };
            if (end.Length < 2) return read with { Body = body };
            at += 2;
        }
    }

    private ReadResponse ReadTrailers(ReadResponse read, string text, int at)
    {
        // An empty line at once: no trailers.
        if (text[at..].StartsWith("\r\n", StringComparison.Ordinal)) return read with { State = ReadState.Ended, Consumed = at + 2 };
        if (!TrySection(text[at..], out string[] lines, out int end, out bool bad)) return read with { State = bad ? ReadState.Malformed : ReadState.Open };
        if (!TryFields(lines, out List<(string, string, bool)> fields)) return read with { State = ReadState.Malformed };
        return read with { State = ReadState.Ended, Trailers = ReadResponse.DescribeFields(fields), Consumed = at + end };
    }

    // The lines before the first empty one. When there is none yet, a line end that is not CRLF is bad in any case; anything else is undecided.
    private bool TrySection(string text, out string[] lines, out int end, out bool bad)
    {
        bad = false;
        int empty = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        end = empty + 4;
        lines = empty < 0 ? [] : text[..empty].Split("\r\n");
        if (empty >= 0) return true;
        Undecided = true;
        return false;
    }

    private bool TryFields(string[] lines, out List<(string Name, string Value, bool Hop)> fields)
    {
        fields = [];
        if (lines.Length > maxFields) return false;
        foreach (string line in lines)
        {
            Match field = FieldLine().Match(line);
            if (!field.Success) return false;
            fields.Add((field.Groups[1].Value, field.Groups[2].Value, false));
        }
        string[] lengths = Of(fields, "Content-Length"), codings = Of(fields, "Transfer-Encoding");
        if (lengths.Length > 1 || codings.Length > 1 || (lengths.Length > 0 && codings.Length > 0)) return false;
        if (lengths is [var length] && !Regex.IsMatch(length, @"\A[0-9]{1,18}\z")) return false;
        if (codings is [var coding] && !coding.Equals("chunked", StringComparison.OrdinalIgnoreCase)) return false;

        string[] named = [.. Of(fields, "Connection").SelectMany(static v => v.Split(',')).Select(static o => o.Trim(' ', '\t')).Where(static o => o.Length > 0)];
        fields = [.. fields.Select(f => f with { Hop = !Known.Contains(f.Name) && named.Contains(f.Name, StringComparer.OrdinalIgnoreCase) })];
        return true;
    }

    // Fields of the connection and the framing, which are that whether Connection names them or not.
    private static readonly HashSet<string> Known = new(StringComparer.OrdinalIgnoreCase)
    {
        "TE", "Trailer", "Upgrade", "Connection", "Keep-Alive", "Content-Length", "Proxy-Connection", "Transfer-Encoding", "Proxy-Authenticate",
    };

    private static string[] Of(List<(string Name, string Value, bool Hop)> fields, string name) =>
        [.. fields.Where(f => f.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(static f => f.Value)];
}
