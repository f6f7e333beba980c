namespace Gateway.Core.Router;

/// <summary>What the router sees of a request. Implemented by a struct, so that a match costs no allocation and no interface call.</summary>
public interface IRouteRequest
{
    /// <summary>Host as received, port included if there was one; empty when absent. Any case.</summary>
    ReadOnlySpan<char> Host { get; }

    /// <summary>The request target's path exactly as received: percent-encoded, dot segments in place, without query. Starts with a slash, or is <c>*</c>.</summary>
    ReadOnlySpan<char> RawPath { get; }

    /// <summary>The raw query without its question mark; empty when absent.</summary>
    ReadOnlySpan<char> RawQuery { get; }

    string Method { get; }

    /// <summary>The index-th value of the header field, or null when there are fewer. Field names compare without case.</summary>
    string? HeaderValue(string name, int index);
}
