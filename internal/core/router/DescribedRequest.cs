namespace Gateway.Core.Router;

/// <summary>
/// A request that nobody sent: what to explain, to expect, to decide again. Its parts are taken as a client would send them, without any
/// normalization. Immutable, thread safe.
/// </summary>
/// <param name="method">As on the request line.</param>
/// <param name="scheme"><c>http</c> or <c>https</c>: whether it comes over TLS.</param>
/// <param name="host">With its port if it has one.</param>
/// <param name="rawPath">Starts with a slash, percent-encoded.</param>
/// <param name="rawQuery">Without its question mark; empty for none.</param>
/// <param name="headers">Names and values, in order; a name may come again. Host need not be among them.</param>
public readonly struct DescribedRequest(
    string method, string scheme, string host, string rawPath, string rawQuery, IReadOnlyList<KeyValuePair<string, string>> headers) : IRouteRequest
{
    public string Method => method;
    public string Scheme => scheme;
    public string HostText => host;
    public string PathText => rawPath;
    public string QueryText => rawQuery;
    public IReadOnlyList<KeyValuePair<string, string>> Headers => headers;

    /// <summary>Path and query, as in origin-form.</summary>
    public string Target => rawQuery.Length == 0 ? rawPath : $"{rawPath}?{rawQuery}";

    ReadOnlySpan<char> IRouteRequest.Host => host;
    ReadOnlySpan<char> IRouteRequest.RawPath => rawPath;
    ReadOnlySpan<char> IRouteRequest.RawQuery => rawQuery;

    public string? HeaderValue(string name, int index)
    {
        bool isHost = name.Equals("Host", StringComparison.OrdinalIgnoreCase);
        for (int i = 0; i < headers.Count; i++)
        {
            if (!headers[i].Key.Equals(name, StringComparison.OrdinalIgnoreCase)) continue;
            isHost = false;
            if (index-- == 0) return headers[i].Value;
        }
        return isHost && index == 0 && host.Length != 0 ? host : null;
    }

    /// <summary>The port in the host, or the scheme's.</summary>
    public int Port
    {
        get
        {
            int colon = host.LastIndexOf(':');
            return colon > host.LastIndexOf(']') && int.TryParse(host.AsSpan(colon + 1), out int port) ? port : scheme == "https" ? 443 : 80;
        }
    }

    /// <summary>
    /// Reads <c>https://host:port/path?query</c>, or <c>/path?query</c> with the host in a Host header. The path is kept byte for byte. A
    /// Host header wins over the authority.
    /// </summary>
    /// <param name="problem">What is wrong with it, for a person, when there is no request.</param>
    public static DescribedRequest? Parse(string method, string url, IReadOnlyList<KeyValuePair<string, string>> headers, out string problem)
    {
        problem = "";
        string scheme = "http", authority = "", target = url;
        if (!url.StartsWith('/'))
        {
            int separator = url.IndexOf("://", StringComparison.Ordinal);
            scheme = separator < 0 ? "" : url[..separator].ToLowerInvariant();
            if (scheme is not ("http" or "https"))
            {
                problem = $"\"{url}\" is no URL; write it as https://host/path or, with a Host header, as /path";
                return null;
            }
            int end = url.AsSpan(separator + 3).IndexOfAny('/', '?', '#');
            authority = end < 0 ? url[(separator + 3)..] : url.Substring(separator + 3, end);
            target = end < 0 ? "/" : url[(separator + 3 + end)..];
            if (target[0] == '?') target = "/" + target;
        }
        if (method.Length == 0) problem = "the method is empty";
        else if (authority.Contains('@')) problem = "the URL has a user name, which requests do not carry; leave it out";
        else if (target.Contains('#')) problem = "the URL has a fragment, which browsers do not send; leave it out";
        else if (target.AsSpan().ContainsAnyExceptInRange('!', '~')) problem = "the URL has characters that must be percent-encoded";
        if (problem.Length != 0) return null;
        foreach (KeyValuePair<string, string> header in headers)
            if (header.Key.Equals("Host", StringComparison.OrdinalIgnoreCase)) authority = header.Value;
        int query = target.IndexOf('?');
        return new DescribedRequest(method, scheme, authority, query < 0 ? target : target[..query], query < 0 ? "" : target[(query + 1)..], headers);
    }
}
