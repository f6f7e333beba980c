using System.Collections.Frozen;
using Microsoft.Extensions.Primitives;

namespace Gateway.DataPlane.Proxy;

/// <summary>Which header fields end at this hop (RFC 9110 section 7.6.1).</summary>
internal static class HopByHop
{
    private static readonly FrozenSet<string> Always = FrozenSet.Create(StringComparer.OrdinalIgnoreCase,
        "Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade", "TE", "HTTP2-Settings",
        "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info",
        // No field of HTTP, but an environment variable by the time it reaches a CGI program (CVE-2016-5385).
        "Proxy");

    // Connection must not name what is meant for every recipient; a client that does so wants the next hop to miss it.
    private static readonly FrozenSet<string> NeverByName = FrozenSet.Create(StringComparer.OrdinalIgnoreCase,
        "Host", "Content-Length", "Content-Type", "Content-Encoding", "Cache-Control", "Date", "Trailer", "Set-Cookie", "Cookie", "Authorization",
        "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "Forwarded", "Via", "X-Request-Id", "X-Real-IP",
        "Traceparent", "Tracestate", "Expect");

    /// <summary>Those that never go on.</summary>
    public static IEnumerable<string> Names => Always;

    public static bool Is(string name) => Always.Contains(name);

    /// <summary>Whether Connection may name the field as this hop's.</summary>
    public static bool MayBeNamed(string name) => !NeverByName.Contains(name);

    /// <summary>
    /// Whether one of the Connection fields names the field as this hop's. On HTTP/1.1 Kestrel has replaced a Connection field that holds
    /// exactly one of keep-alive, close and upgrade by that word alone, so what was named beside it is not known and goes on.
    /// </summary>
    public static bool IsNamedBy(StringValues connection, string name)
    {
        foreach (string? value in connection)
        {
            if (ListHas(value, name) && MayBeNamed(name)) return true;
        }
        return false;
    }

    public static bool HasToken(StringValues list, string token)
    {
        foreach (string? value in list)
        {
            if (ListHas(value, token)) return true;
        }
        return false;
    }

    private static bool ListHas(ReadOnlySpan<char> list, ReadOnlySpan<char> token)
    {
        while (!list.IsEmpty)
        {
            int comma = list.IndexOf(',');
            ReadOnlySpan<char> item = comma < 0 ? list : list[..comma];
            if (item.Trim(" \t").Equals(token, StringComparison.OrdinalIgnoreCase)) return true;
            list = comma < 0 ? default : list[(comma + 1)..];
        }
        return false;
    }

    /// <summary>Whether TE offers to take trailers, with or without a weight.</summary>
    public static bool AcceptsTrailers(StringValues te)
    {
        foreach (string? value in te)
        {
            ReadOnlySpan<char> list = value;
            foreach (Range part in list.Split(','))
            {
                ReadOnlySpan<char> item = list[part];
                int weight = item.IndexOf(';');
                if ((weight < 0 ? item : item[..weight]).Trim(" \t").Equals("trailers", StringComparison.OrdinalIgnoreCase)) return true;
            }
        }
        return false;
    }
}
