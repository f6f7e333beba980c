using System.Net;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Proxy;

/// <summary>
/// Reads and checks a request's head before anything is decided on it: the limits of the listener, and what the server below lets pass
/// although two readers of it could disagree on where the request ends or what it asks for.
/// </summary>
internal static class RequestHead
{
    /// <summary>False: refused, and the context says why.</summary>
    public static bool Read(Exchange exchange, RequestIdSource ids)
    {
        RequestContext context = exchange.Context;
        KestrelDownstream client = exchange.Downstream;
        ListenerModel listener = context.Listener;

        exchange.Fields.Read(client.RequestHeaders);
        if (exchange.HeadFacts.Version != exchange.Fields.Version) exchange.HeadFacts = HeadFacts.Of(client.RequestHeaders, exchange.Fields.Version);
        context.RequestId = ids.Choose(exchange.HeadFacts.OfferedId);
        context.IsGrpc = exchange.HeadFacts.IsGrpc;
        context.IsUpgrade = client.UpgradeProtocol is not null;
        context.Host = exchange.HeadFacts.Host;
        context.Peer = client.Peer;
        exchange.PeerTrusted = listener.Trusts(context.Peer);
        exchange.DescribeHop(context.Peer, context.Host, client.Scheme);

        if (client.RawTarget.Length > listener.MaxUrlBytes)
            return Refuse(context, ErrorCategory.UriTooLong, "The request target is longer than the listener accepts.");
        if (exchange.Fields.Lines > listener.MaxHeaderCount)
            return Refuse(context, ErrorCategory.HeadersTooLarge, "The request has more header fields than the listener accepts.");
        if (exchange.Fields.Bytes > listener.MaxHeaderBytes)
            return Refuse(context, ErrorCategory.HeadersTooLarge, "The request's header fields are larger than the listener accepts.");
        if (!exchange.Fields.IsSound) return Refuse(context, ErrorCategory.BadRequest, "The request has a malformed header field.");
        return ReadMethod(context, client) && ReadTarget(context, client) && CheckFraming(context, client, exchange.HeadFacts);
    }

    private static bool ReadMethod(RequestContext context, KestrelDownstream client)
    {
        string method = client.Method;
        if (method == "CONNECT")
        {
            if (client.UpgradeProtocol is not null) return true;
            context.Fail(ErrorCategory.BadRequest, "CONNECT is not served here.", status: 501);
            return false;
        }
        // Methods compare with case, but the upstream's client writes a known one as registered: "get" would arrive as GET.
        if (method is "GET" or "POST" || HttpMethod.Parse(method).Method == method) return true;
        context.Fail(ErrorCategory.BadRequest, "The method differs from a registered one by case only.", status: 501);
        return false;
    }

    private static bool ReadTarget(RequestContext context, KestrelDownstream client)
    {
        string target = client.RawTarget;
        if (target.AsSpan().ContainsAnyExceptInRange('!', '~'))
            return Refuse(context, ErrorCategory.BadRequest, "The request target has characters that must be percent-encoded.");
        if (!target.StartsWith('/') && target != "*")
        {
            int authority = target.IndexOf("://", StringComparison.Ordinal);
            if (authority <= 0) return Refuse(context, ErrorCategory.BadRequest, "The request target has no form that is served here.");
            int path = target.AsSpan(authority + 3).IndexOfAny('/', '?');
            target = path < 0 ? "/" : target[(authority + 3 + path)..];
            if (target[0] == '?') target = "/" + target;
        }
        if (target.Contains('#')) return Refuse(context, ErrorCategory.BadRequest, "The request target has a fragment.");
        int query = target.IndexOf('?');
        context.RawPathAndQuery = target;
        context.RawPathLength = query < 0 ? target.Length : query;
        return true;
    }

    private static bool CheckFraming(RequestContext context, KestrelDownstream client, in HeadFacts facts)
    {
        if (facts.IsPlain) return true;
        Microsoft.AspNetCore.Http.IHeaderDictionary headers = client.RequestHeaders;
        if (headers.Host.Count > 1) return Refuse(context, ErrorCategory.BadRequest, "The request has several Host fields.");
        // RFC 9113 section 8.2.2 makes such a message malformed; of these fields Kestrel looks at Connection and TE alone.
        if (client.Protocol == "HTTP/2" && (headers.TransferEncoding.Count > 0 || headers.ContainsKey("Keep-Alive") || headers.ContainsKey("Proxy-Connection") || headers.Upgrade.Count > 0))
            return Refuse(context, ErrorCategory.BadRequest, "The request has a field of HTTP/1.1 connections, which HTTP/2 has not.");
        if (headers.TransferEncoding.Count == 0) return true;
        // Kestrel reads such a message by its chunks and puts the length aside under another name. What is in front of it may have gone
        // by the length (RFC 9112 section 6.1: possible smuggling).
        if (headers.ContentLength is not null || headers.ContainsKey("X-Content-Length"))
            return Refuse(context, ErrorCategory.BadRequest, "The request has both Content-Length and Transfer-Encoding.");
        if (headers.TransferEncoding.Count > 1 || !headers.TransferEncoding.ToString().Equals("chunked", StringComparison.OrdinalIgnoreCase))
            return Refuse(context, ErrorCategory.BadRequest, "The only transfer coding accepted is chunked.");
        return client.Protocol != "HTTP/1.0" || Refuse(context, ErrorCategory.BadRequest, "HTTP/1.0 has no transfer codings.");
    }

    private static bool Refuse(RequestContext context, ErrorCategory category, string detail)
    {
        context.Fail(category, detail);
        return false;
    }
}
