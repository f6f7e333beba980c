using System.Net;
using Gateway.Config;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Proxy;

/// <summary>Makes the upstream request out of the client's, for <see cref="SocketsHttpHandler"/>.</summary>
internal static class UpstreamRequest
{
    private static readonly UriCreationOptions AsReceived = new() { DangerousDisablePathAndQueryCanonicalization = true };

    /// <summary>Null when there is none to make; then the context says why.</summary>
    public static UpstreamMessage? Create(Exchange exchange, HttpClientUpstream upstream, RouteModel route, long bodyLimit, out RequestBodyContent? body)
    {
        RequestContext request = exchange.Context;
        KestrelDownstream client = exchange.Downstream;
        body = null;
        if (!Uri.TryCreate(upstream.Prefix + request.RawPathAndQuery, in AsReceived, out Uri? uri))
        {
            request.Fail(ErrorCategory.BadRequest, "The request target is malformed.");
            return null;
        }
        var message = new UpstreamMessage(HttpMethod.Parse(client.Method), uri, exchange.Attempts);
        (message.Version, message.VersionPolicy) = upstream.Protocol switch
        {
            UpstreamProtocol.Http1 => (HttpVersion.Version11, HttpVersionPolicy.RequestVersionExact),
            UpstreamProtocol.Https => (HttpVersion.Version20, HttpVersionPolicy.RequestVersionOrLower),
            _ => (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact),
        };

        if (client.UpgradeProtocol is { } protocol) WebSocketBridge.Prepare(message, exchange, upstream, protocol);
        else if (client.HasRequestBody)
        {
            body = new RequestBodyContent(exchange, client.RequestHeaders.ContentLength, bodyLimit, route.AttemptTimeout);
            message.Content = body;
        }

        var sink = new MessageSink(message);
        ForwardingHeaders.Write(exchange, ref sink);
        message.Headers.TryAddWithoutValidation(UpstreamMessage.MarkingField, request.RequestId.ToString());
        if (exchange.ClientDeadline.Field is { } field) message.Headers.TryAddWithoutValidation(field, exchange.WriteDeadline(stackalloc char[ClientDeadline.MostCharacters]).ToString());
        if (request.Host.Length != 0) message.Headers.TryAddWithoutValidation("Host", request.Host);
        if (HopByHop.AcceptsTrailers(client.RequestHeaders.TE))
        {
            message.Headers.TryAddWithoutValidation("TE", "trailers");
            if (upstream.Protocol == UpstreamProtocol.Http1 && client.UpgradeProtocol is null) message.Headers.TryAddWithoutValidation("Connection", "TE");
        }
        if (body is not null && client.Protocol != "HTTP/1.0" && HopByHop.HasToken(client.RequestHeaders.Expect, "100-continue"))
            message.Headers.ExpectContinue = true;
        return message;
    }

    private readonly struct MessageSink(HttpRequestMessage message) : IHeaderSink
    {
        public void Add(string name, string value)
        {
            if (message.Headers.TryAddWithoutValidation(name, value)) return;
            // The handler keeps what describes a body (Content-Type, ...) with the body; a request may have the one without the other.
            message.Content ??= new ByteArrayContent([]);
            message.Content.Headers.TryAddWithoutValidation(name, value);
        }
    }
}
