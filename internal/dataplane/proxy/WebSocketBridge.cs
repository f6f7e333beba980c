using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;
using Microsoft.AspNetCore.Http;

namespace Gateway.DataPlane.Proxy;

/// <summary>
/// An upgrade has two forms: the Upgrade field of HTTP/1.1, and the extended CONNECT of HTTP/2 (RFC 8441). The upstream gets the one that
/// its protocol has; where client and upstream differ, the WebSocket key, which only HTTP/1.1 has, is made or answered here.
/// </summary>
internal static class WebSocketBridge
{
    private const string Key = "Sec-WebSocket-Key", Accept = "Sec-WebSocket-Accept";

    // RFC 6455 section 1.3.
    private const string AcceptSalt = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    public static void Prepare(HttpRequestMessage message, Exchange exchange, HttpClientUpstream upstream, string protocol)
    {
        bool clientHttp2 = exchange.Downstream.Method == "CONNECT";
        if (upstream.Http2Only)
        {
            message.Method = HttpMethod.Connect;
            message.Headers.Protocol = protocol;
            return;
        }
        // Over TLS too: an upgrade needs a connection of its own, which ALPN would not give it.
        message.Version = HttpVersion.Version11;
        message.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
        message.Method = clientHttp2 ? HttpMethod.Get : HttpMethod.Parse(exchange.Downstream.Method);
        message.Headers.TryAddWithoutValidation("Connection", "Upgrade");
        message.Headers.TryAddWithoutValidation("Upgrade", protocol);
        if (clientHttp2 && IsWebSocket(protocol)) message.Headers.TryAddWithoutValidation(Key, MakeKey(exchange));
    }

    /// <summary>The key for an upstream of HTTP/1.1 when the client's protocol has none.</summary>
    public static string MakeKey(Exchange exchange)
    {
        Span<byte> nonce = stackalloc byte[16];
        RandomNumberGenerator.Fill(nonce);
        return exchange.WebSocketKey = Convert.ToBase64String(nonce);
    }

    /// <summary>Whether the upstream proved that it understood the key that was made here.</summary>
    public static bool IsAccepted(Exchange exchange, HttpResponseHeaders headers) =>
        IsAccepted(exchange, headers.NonValidated.TryGetValues(Accept, out HeaderStringValues values) && values.Count == 1 ? values.ToString() : null);

    /// <param name="accept">The response's Sec-WebSocket-Accept; null when it has none, or several.</param>
    public static bool IsAccepted(Exchange exchange, string? accept) => exchange.WebSocketKey is not { } key || accept == AcceptOf(key);

    /// <summary>Fits the response's key fields to the client's form of the upgrade.</summary>
    public static void Finish(Exchange exchange, int status, IHeaderDictionary headers)
    {
        if (exchange.Downstream.Method == "CONNECT") headers.Remove(Accept);
        else if (status == 200 && exchange.Downstream.RequestHeaders[Key] is [{ } key]) headers[Accept] = AcceptOf(key);
    }

    public static bool IsWebSocket(string protocol) => protocol.Equals("websocket", StringComparison.OrdinalIgnoreCase);

    private static string AcceptOf(string key) => Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + AcceptSalt)));
}
