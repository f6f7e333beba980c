using System.Net;
using Gateway.DataPlane.Runtime;
using Microsoft.Extensions.Primitives;

namespace Gateway.DataPlane.Proxy;

/// <summary>Who a request comes from: the peer, or behind trusted proxies the last address that no trusted one has vouched for.</summary>
internal static class ClientAddress
{
    /// <summary>As it was written; empty for a client on a Unix socket.</summary>
    public static ReadOnlySpan<char> TextOf(Exchange exchange) =>
        exchange.PeerTrusted ? TextOf(exchange.PeerText, exchange.Downstream.RequestHeaders["X-Forwarded-For"], exchange.Context.Listener) : exchange.PeerText;

    /// <param name="trusted">The peer, which is one of the listener's trusted proxies.</param>
    /// <param name="chain">Its X-Forwarded-For.</param>
    public static ReadOnlySpan<char> TextOf(ReadOnlySpan<char> trusted, StringValues chain, ListenerModel listener)
    {
        ReadOnlySpan<char> client = trusted;
        for (int i = chain.Count - 1; i >= 0; i--)
        {
            ReadOnlySpan<char> rest = chain[i];
            while (!rest.IsEmpty)
            {
                int comma = rest.LastIndexOf(',');
                client = rest[(comma + 1)..].Trim();
                rest = comma < 0 ? default : rest[..comma];
                bool isFirst = i == 0 && rest.IsEmpty;
                if (isFirst || !IPAddress.TryParse(client, out IPAddress? hop) || !listener.Trusts(hop)) return client;
            }
        }
        return client;
    }

    /// <summary>Null for a client on a Unix socket. What a trusted proxy says that is no address counts as the proxy's own.</summary>
    public static IPAddress? Of(Exchange exchange) =>
        exchange.PeerTrusted && IPAddress.TryParse(TextOf(exchange), out IPAddress? named) ? named : exchange.Context.Peer;
}
