using Gateway.Core.Router;
using Gateway.DataPlane.Runtime;
using Microsoft.Extensions.Primitives;

namespace Gateway.DataPlane.Proxy;

/// <summary>A request as the router looks at it.</summary>
internal readonly struct RouteRequest(RequestContext context) : IRouteRequest
{
    public ReadOnlySpan<char> Host => context.Host;
    public ReadOnlySpan<char> RawPath => context.RawPathAndQuery.AsSpan(0, context.RawPathLength);

    public ReadOnlySpan<char> RawQuery =>
        context.RawPathLength < context.RawPathAndQuery.Length ? context.RawPathAndQuery.AsSpan(context.RawPathLength + 1) : default;

    // An extended CONNECT opens what HTTP/1.1 opens with GET (RFC 8441 section 5): one route is for both.
    public string Method => context.Downstream.Method == "CONNECT" ? "GET" : context.Downstream.Method;

    public string? HeaderValue(string name, int index)
    {
        StringValues values = context.Downstream.RequestHeaders[name];
        return index < values.Count ? values[index] : null;
    }
}
