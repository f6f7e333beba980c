namespace Gateway.Core.Router;

/// <summary>
/// The part of a Host header field that routes compare: without port and without the dot of a fully qualified name. IPv6 literals keep
/// their brackets and are compared as text (<c>[::1]</c> is not <c>[0:0::1]</c>).
/// </summary>
internal static class HostName
{
    public static ReadOnlySpan<char> OfRequest(ReadOnlySpan<char> host)
    {
        if (host.Length != 0 && host[0] == '[')
        {
            int close = host.IndexOf(']');
            return close < 0 ? host : host[..(close + 1)];
        }
        int colon = host.IndexOf(':');
        if (colon >= 0) host = host[..colon];
        return WithoutFinalDot(host);
    }

    /// <summary>As a rule may write it; an IPv6 address may come without its brackets.</summary>
    public static string OfRule(string host) =>
        host.Contains(':') && !host.StartsWith('[') ? $"[{host}]"
        : host.EndsWith('.') ? host[..^1]
        : host;

    private static ReadOnlySpan<char> WithoutFinalDot(ReadOnlySpan<char> host) =>
        host.Length != 0 && host[^1] == '.' ? host[..^1] : host;
}
