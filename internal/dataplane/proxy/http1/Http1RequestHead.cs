using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Proxy.Http1;

/// <summary>The head of the upstream's request: the forwarding rules', then what depends on this connection.</summary>
internal static class Http1RequestHead
{
    public static void Write(Exchange exchange, string authority, bool expectsContinue, ref Http1HeadSink sink)
    {
        RequestContext request = exchange.Context;
        KestrelDownstream client = exchange.Downstream;
        bool webSocketOverHttp2 = client.UpgradeProtocol is not null && client.Method == "CONNECT";
        // An extended CONNECT becomes what HTTP/1.1 has in its place (RFC 8441 section 4).
        sink.StartLine(webSocketOverHttp2 ? "GET" : client.Method, request.RawPathAndQuery);
        WriteFields(exchange, authority, ref sink);
        sink.Add("X-Request-Id"u8, request.RequestId);
        if (exchange.ClientDeadline.Field is { } field) sink.Add(field, exchange.WriteDeadline(stackalloc char[ClientDeadline.MostCharacters]));
        if (client.UpgradeProtocol is { } protocol)
        {
            sink.Raw("Connection: Upgrade\r\n"u8);
            sink.Add("Upgrade", protocol);
            if (webSocketOverHttp2 && WebSocketBridge.IsWebSocket(protocol)) sink.Add("Sec-WebSocket-Key", WebSocketBridge.MakeKey(exchange));
        }
        else
        {
            // What the client declared is repeated, also a length of 0: POST without it is not the same to every server.
            if (client.RequestHeaders.ContentLength is { } length) sink.ContentLength(length);
            else if (client.HasRequestBody) sink.Raw("Transfer-Encoding: chunked\r\n"u8);
            if (HopByHop.AcceptsTrailers(client.RequestHeaders.TE)) sink.Raw("TE: trailers\r\nConnection: TE\r\n"u8);
            if (expectsContinue) sink.Raw("Expect: 100-continue\r\n"u8);
        }
        sink.Raw("\r\n"u8);
    }

    private static void WriteFields(Exchange exchange, string authority, ref Http1HeadSink sink)
    {
        RequestContext request = exchange.Context;
        // Without a Host the upstream's own name goes there, which is another for each endpoint.
        // And which field has the client's deadline, and so is left out, is the route's to say.
        bool keep = request.Host.Length != 0 && exchange.ClientDeadline.Field is null;
        string protocol = exchange.Downstream.Protocol, scheme = exchange.Downstream.Scheme;
        if (keep && exchange.FieldBlock.TryGet(exchange.Fields.Version, protocol, scheme, exchange.PeerText, exchange.PeerTrusted, out ReadOnlySpan<byte> kept))
        {
            sink.Raw(kept);
            return;
        }
        int start = sink.Length;
        sink.Add("Host", request.Host.Length != 0 ? request.Host : authority);
        ForwardingHeaders.Write(exchange, ref sink);
        if (keep) exchange.FieldBlock.Offer(exchange.Fields.Version, protocol, scheme, exchange.PeerText, exchange.PeerTrusted, sink.Buffer.AsSpan(start, sink.Length - start));
    }
}
