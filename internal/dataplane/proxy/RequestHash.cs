using Gateway.Config;
using Gateway.Core.Pool;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Proxy;

/// <summary>The hash by which a request is kept to an endpoint: of the characters as they were received.</summary>
internal static class RequestHash
{
    /// <summary>A random one when the request has not what it goes by, so that such requests spread.</summary>
    public static ulong Of(Exchange exchange, RequestKey key)
    {
        ReadOnlySpan<char> text = TextOf(exchange, key);
        return text.IsEmpty ? PickRandom.PerThread.Next() : StableHash.Of(text);
    }

    /// <summary>What the key has in the request; empty when it has it not.</summary>
    public static ReadOnlySpan<char> TextOf(Exchange exchange, RequestKey key)
    {
        RequestContext request = exchange.Context;
        return key.Kind switch
        {
            RequestKeyKind.Ip => ClientAddress.TextOf(exchange),
            RequestKeyKind.Path => request.RawPathAndQuery.AsSpan(0, request.RawPathLength),
            RequestKeyKind.Query => QueryParameter(request.RawPathAndQuery.AsSpan(request.RawPathLength), key.Name),
            RequestKeyKind.Header => exchange.Downstream.RequestHeaders[key.Name] is { Count: > 0 } values ? values[0].AsSpan().Trim() : default,
            RequestKeyKind.Cookie => CookieValue.Find(exchange.Downstream.RequestHeaders.Cookie, key.Name),
            _ => throw new InvalidOperationException($"{key.Kind} cannot be hashed."),
        };
    }

    /// <param name="query">With its question mark, or empty.</param>
    private static ReadOnlySpan<char> QueryParameter(ReadOnlySpan<char> query, ReadOnlySpan<char> name)
    {
        while (!query.IsEmpty)
        {
            // The question mark, or the ampersand before the next one.
            query = query[1..];
            int end = query.IndexOf('&');
            ReadOnlySpan<char> part = end < 0 ? query : query[..end];
            query = end < 0 ? default : query[end..];
            if (part.Length > name.Length && part[name.Length] == '=' && part.StartsWith(name, StringComparison.Ordinal)) return part[(name.Length + 1)..];
        }
        return default;
    }
}
