using Gateway.Core.Router;

namespace Gateway.Core.Tests.Router;

/// <summary>A request as the router sees it, from "METHOD host/path?query" and headers.</summary>
public readonly struct TestRequest(string method, string host, string path, string query = "", (string Name, string Value)[]? headers = null) : IRouteRequest
{
    private readonly (string Name, string Value)[] _headers = headers ?? [];

    public (string Name, string Value)[] Headers => _headers;
    public ReadOnlySpan<char> Host => host;
    public ReadOnlySpan<char> RawPath => path;
    public ReadOnlySpan<char> RawQuery => query;
    public string Method => method;

    public string? HeaderValue(string name, int index)
    {
        foreach ((string Name, string Value) header in _headers)
            if (header.Name.Equals(name, StringComparison.OrdinalIgnoreCase) && index-- == 0) return header.Value;
        return null;
    }

    public string[] HeaderValues(string name) =>
        [.. _headers.Where(h => h.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(static h => h.Value)];

    public override string ToString() =>
        $"{method} {host} {path}?{query} {string.Join(", ", _headers.Select(static h => $"{h.Name}: {h.Value}"))}";
}
