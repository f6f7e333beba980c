using Gateway.Core.Pool;
using Gateway.DataPlane.Runtime;
using Microsoft.AspNetCore.Http;

namespace Gateway.DataPlane.Proxy;

/// <summary>Keeps a client to an endpoint by a cookie, in pools that have it.</summary>
internal static class AffinityCookie
{
    /// <summary>The endpoint that the client's cookie names, or else, also when that one has no room, the one that the pool picks.</summary>
    /// <param name="most">As for <see cref="EndpointSet.Take"/>.</param>
    public static EndpointModel? Take(Exchange exchange, string cookie, EndpointSet endpoints, in PickContext context, int most)
    {
        ReadOnlySpan<char> tag = CookieValue.Find(exchange.Downstream.RequestHeaders.Cookie, cookie);
        EndpointModel? named = tag.IsEmpty ? null : endpoints.Tagged(tag, context.Excluded);
        return named is not null && named.State.Load.TryBegin(most) ? named : endpoints.Take(context, most);
    }

    /// <summary>The client needs no cookie: it has that of the endpoint that answers.</summary>
    public static bool HasIt(Exchange exchange, string cookie) =>
        exchange.Context.Endpoint?.Tag is not { } tag || CookieValue.Find(exchange.Downstream.RequestHeaders.Cookie, cookie).SequenceEqual(tag.Value);

    /// <summary>Gives the client the cookie of the endpoint that answers, unless it has it.</summary>
    public static void Offer(Exchange exchange, string cookie, IHeaderDictionary response)
    {
        if (HasIt(exchange, cookie)) return;
        EndpointTag tag = exchange.Context.Endpoint!.Tag!;
        IHeaderDictionary request = exchange.Downstream.RequestHeaders;
        // In clear text from a trusted proxy, what counts is what the client spoke to that.
        bool secure = exchange.Downstream.Scheme == "https" || (exchange.PeerTrusted && request["X-Forwarded-Proto"] is { Count: 1 } proto && proto == "https");
        response.Append("Set-Cookie", secure ? tag.SecureField : tag.Field);
    }
}
