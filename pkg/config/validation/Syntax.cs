using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace Gateway.Config.Validation;

/// <summary>The small grammars that texts of a document follow. Each answer is null when the text is right, else what is wrong and the fix.</summary>
internal static class Syntax
{
    private const int MaxNameLength = 253;
    private const int MaxHostLength = 253;
    private const int MaxLabelLength = 63;
    private const int MaxPatternLength = 4096;

    // RFC 9110 §5.6.2.
    private static readonly SearchValues<char> TokenCharacters = SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    // RFC 3986 pchar, the slash, and the escape; what else a client sends comes escaped.
    private static readonly SearchValues<char> PathCharacters = SearchValues.Create("/%-._~!$&'()*+,;=:@0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    // Underscores are not legal in host names, and are in use as names of services all the same.
    private static readonly SearchValues<char> LabelCharacters = SearchValues.Create("-_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    public static string? Name(string text)
    {
        if (text.Length == 0) return "a name is not empty";
        if (text.Length > MaxNameLength) return $"a name has at most {MaxNameLength} characters, this one has {text.Length}";
        return HasControl(text) ? "a name holds no control characters" : null;
    }

    public static string? FilePath(string text) =>
        text.Length == 0 ? "the path is empty; leave the field out, or name a file" : text.Contains('\0', StringComparison.Ordinal) ? "a path holds no zero character" : null;

    public static string? Token(string text, string what) =>
        text.Length > 0 && !text.AsSpan().ContainsAnyExcept(TokenCharacters) ? null
        : $"\"{Reading.JsonTokens.Shorten(text)}\" is not {what}; it is made of letters, digits and !#$%&'*+-.^_`|~";

    public static bool HasControl(string text)
    {
        foreach (char c in text)
            if (char.IsControl(c)) return true;
        return false;
    }

    /// <summary>A host name or an IP address, IPv6 in brackets, without port.</summary>
    public static string? Host(string text)
    {
        if (text.Length == 0) return "a host name is not empty";
        if (text[0] == '[')
            return text[^1] == ']' && IsIpv6(text.AsSpan(1, text.Length - 2)) ? null : $"\"{Reading.JsonTokens.Shorten(text)}\" is not an IPv6 address in brackets, or has a port; a port is not part of it";
        if (text.Contains("://", StringComparison.Ordinal)) return "a host has no scheme; write the host alone";
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon >= 0)
            return IsIpv6(text) ? $"an IPv6 address stands in brackets: \"[{text}]\"" : $"a port is not part of a host; write \"{Reading.JsonTokens.Shorten(text[..colon])}\"";
        if (!System.Text.Ascii.IsValid(text)) return $"write the host in its ASCII form{ToAscii(text)}";
        if (text[^1] == '.') return "a host does not end with a dot; remove it";
        if (text.Length > MaxHostLength) return $"a host has at most {MaxHostLength} characters, this one has {text.Length}";
        foreach (Range range in text.AsSpan().Split('.'))
        {
            ReadOnlySpan<char> label = text.AsSpan(range);
            if (label.IsEmpty) return "a host has no empty label (two dots, or one at its start)";
            if (label.Length > MaxLabelLength) return $"a label of a host has at most {MaxLabelLength} characters, one here has {label.Length}";
            if (label.Contains('*')) return "a wildcard is the whole first label and nothing else, as in \"*.example.com\"";
            if (label[0] == '-' || label[^1] == '-') return "a label of a host does not begin or end with a hyphen";
            if (label.ContainsAnyExcept(LabelCharacters)) return $"\"{Reading.JsonTokens.Shorten(text)}\" is not a host name; its labels are made of letters, digits and hyphens";
        }
        // Some would take "1" or "127.1" for an address in an old spelling, others for a name.
        if (IsNumber(text.AsSpan(text.LastIndexOf('.') + 1)) && !IsIpv4(text)) return $"\"{text}\" ends in a number, and is not an IPv4 address of four";
        return null;
    }

    /// <summary>A host as routes match it: also with a first label <c>*</c>.</summary>
    public static string? HostPattern(string text)
    {
        if (text == "*") return "for any host leave hosts empty; a wildcard has labels after it, as in \"*.example.com\"";
        return Host(text.StartsWith("*.", StringComparison.Ordinal) && text.Length > 2 ? text[2..] : text);
    }

    private static string ToAscii(string host)
    {
        bool wildcard = host.StartsWith("*.", StringComparison.Ordinal);
        try
        {
            return $": \"{(wildcard ? "*." : "")}{new IdnMapping().GetAscii(wildcard ? host[2..] : host)}\"";
        }
        catch (ArgumentException)
        {
            return "";
        }
    }

    /// <summary><paramref name="path"/> as <see cref="PathMatchConfig.Exact"/>, <see cref="PathMatchConfig.Prefix"/> and redirects have it.</summary>
    public static string? Path(string path)
    {
        if (!path.StartsWith('/')) return $"a path starts with a slash: \"/{Reading.JsonTokens.Shorten(path)}\"";
        int part = path.AsSpan().IndexOfAny('?', '#');
        if (part >= 0) return $"a path ends before '{path[part]}'; {(path[part] == '?' ? "a query is matched with query" : "a fragment is never sent")}";
        if (path.AsSpan().ContainsAnyExcept(PathCharacters))
            return $"a path is written as clients send it, percent-encoded: \"{Reading.JsonTokens.Shorten(Encoded(path))}\"";
        foreach (Range range in path.AsSpan().Split('/'))
            if (path.AsSpan(range) is "." or "..") return "dot segments are removed from a request's path before it is compared; write the path without them";
        return null;
    }

    private static string Encoded(string path) => Uri.EscapeDataString(path).Replace("%2F", "/", StringComparison.Ordinal).Replace("%25", "%", StringComparison.Ordinal);

    /// <summary>A regular expression that runs without backtracking.</summary>
    public static string? Pattern(string pattern)
    {
        if (pattern.Length > MaxPatternLength) return $"a regular expression has at most {MaxPatternLength} characters, this one has {pattern.Length}";
        try
        {
            _ = new Regex(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
            return null;
        }
        catch (NotSupportedException)
        {
            return "look-around, back-references, atomic groups and conditions need backtracking, which is not done here; write it without";
        }
        catch (ArgumentException e)
        {
            int reason = e.Message.IndexOf("' at offset ", StringComparison.Ordinal);
            return $"not a regular expression: {(reason < 0 ? e.Message : e.Message[(reason + 2)..])}";
        }
    }

    /// <summary>A network in CIDR form.</summary>
    public static string? Network(string text)
    {
        if (IPNetwork.TryParse(text, out _)) return null;
        if (IPAddress.TryParse(text, out IPAddress? one)) return $"write the prefix length: \"{text}/{(one.AddressFamily == AddressFamily.InterNetwork ? 32 : 128)}\"";
        return $"\"{Reading.JsonTokens.Shorten(text)}\" is not a network such as \"10.0.0.0/8\" or \"fd00::/8\" (all bits after the prefix are 0)";
    }

    private static bool IsNumber(ReadOnlySpan<char> label)
    {
        bool isHex = label.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        foreach (char c in isHex ? label[2..] : label)
            if (!(isHex ? char.IsAsciiHexDigit(c) : char.IsAsciiDigit(c))) return false;
        return true;
    }

    // The parser also takes "1", "0x7f.1" and, as octal, "010.0.0.1", which no one means.
    public static bool IsIpv4(ReadOnlySpan<char> text)
    {
        Span<char> plain = stackalloc char[15];
        return IPAddress.TryParse(text, out IPAddress? address) && address.AddressFamily == AddressFamily.InterNetwork
            && address.TryFormat(plain, out int length) && text.SequenceEqual(plain[..length]);
    }

    public static bool IsIpv6(ReadOnlySpan<char> text) =>
        IPAddress.TryParse(text, out IPAddress? address) && address.AddressFamily == AddressFamily.InterNetworkV6;
}
