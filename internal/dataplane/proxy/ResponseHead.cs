using System.Net;
using System.Net.Http.Headers;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Gateway.DataPlane.Proxy;

/// <summary>The head of an upstream's response: checked, then copied to the client without what ends at this hop.</summary>
internal static class ResponseHead
{
    /// <summary>Fails the request when two readers of the response could disagree on where it ends, or when it is an upgrade nobody asked for.</summary>
    public static void Check(Exchange exchange, HttpResponseMessage response, HttpRequestMessage sent)
    {
        RequestContext request = exchange.Context;
        if (!HasSoundFraming(response)) request.Fail(ErrorCategory.UpstreamProtocolError, "The upstream's response has no unambiguous length.");
        else if (!HasSoundFields(response)) request.Fail(ErrorCategory.UpstreamProtocolError, "The upstream's response has a malformed header field.");
        else if (response.StatusCode == HttpStatusCode.SwitchingProtocols && !IsAskedFor(exchange, response))
            request.Fail(ErrorCategory.UpstreamProtocolError, "The upstream switched to a protocol that was not asked for.");
        else if (IsUpgrade(response, sent) && !WebSocketBridge.IsAccepted(exchange, response.Headers))
            request.Fail(ErrorCategory.UpstreamProtocolError, "The upstream's WebSocket handshake is wrong.");
    }

    /// <summary>Null without a response or without the field.</summary>
    public static string? RetryAfterOf(HttpResponseMessage? response) =>
        response is not null && response.Headers.NonValidated.TryGetValues("Retry-After", out HeaderStringValues values) && values.Count == 1 ? values.ToString() : null;

    public static bool IsUpgrade(HttpResponseMessage response, HttpRequestMessage sent) =>
        response.StatusCode == HttpStatusCode.SwitchingProtocols || (sent.Headers.Protocol is not null && response.IsSuccessStatusCode);

    /// <summary>Sets the client's status and header fields. True: the body's chunk framing and trailers are to be written by the caller.</summary>
    public static bool Copy(HttpResponseMessage response, Exchange exchange, bool upgraded)
    {
        KestrelDownstream client = exchange.Downstream;
        IHeaderDictionary headers = client.ResponseHeaders;
        int status = (int)response.StatusCode;
        if (!upgraded) client.StatusCode = status;
        StringValues connection = response.Headers.NonValidated.TryGetValues("Connection", out HeaderStringValues named) ? ToValues(named) : default;

        CopyFields(response.Headers.NonValidated, headers, connection);
        CopyFields(response.Content.Headers.NonValidated, headers, connection);
        headers.Append("Via", ForwardingHeaders.ViaOf(response.Version.Major == 2 ? "HTTP/2" : response.Version.Minor == 0 ? "HTTP/1.0" : "HTTP/1.1"));
        return Finish(exchange, headers, status, upgraded, HasBody(client, response));
    }

    /// <summary>What is left to say once the end-to-end fields are there. True: the body's chunk framing and trailers are to be written by the caller.</summary>
    public static bool Finish(Exchange exchange, IHeaderDictionary headers, int status, bool upgraded, bool hasBody)
    {
        KestrelDownstream client = exchange.Downstream;
        if (exchange.Context.Route!.Pool!.Plan.AffinityCookie is { } cookie) AffinityCookie.Offer(exchange, cookie, headers);
        if (upgraded)
        {
            headers.ContentLength = null;
            if (client.Method != "CONNECT") headers.Upgrade = client.UpgradeProtocol;
            WebSocketBridge.Finish(exchange, status, headers);
            return false;
        }
        // RFC 9110 sections 8.6 and 15.3.6.
        if (status == 204) headers.ContentLength = null;
        else if (status == 205) headers.ContentLength = 0;
        if (headers.ContentLength is not null || !hasBody || !WantsTrailers(client, headers)) return false;
        headers.TransferEncoding = "chunked";
        return true;
    }

    public static bool HasBody(KestrelDownstream client, HttpResponseMessage response) =>
        client.Method != "HEAD" && (int)response.StatusCode is not (204 or 205 or 304);

    // Kestrel has no trailers on HTTP/1.1, but leaves the framing alone when the application names it.
    private static bool WantsTrailers(KestrelDownstream client, IHeaderDictionary headers) =>
        client.Protocol == "HTTP/1.1" && (headers.Trailer.Count != 0 || HopByHop.AcceptsTrailers(client.RequestHeaders.TE));

    private static void CopyFields(HttpHeadersNonValidated from, IHeaderDictionary to, StringValues connection)
    {
        foreach ((string name, HeaderStringValues values) in from)
        {
            if (HopByHop.Is(name) || (connection.Count != 0 && HopByHop.IsNamedBy(connection, name))) continue;
            to[name] = ToValues(values);
        }
    }

    private static StringValues ToValues(in HeaderStringValues values)
    {
        if (values.Count == 1) return values.ToString();
        string[] all = new string[values.Count];
        int i = 0;
        foreach (string value in values) all[i++] = value;
        return all;
    }

    private static bool IsAskedFor(Exchange exchange, HttpResponseMessage response)
    {
        if (exchange.Downstream.UpgradeProtocol is not { } asked) return false;
        if (!response.Headers.NonValidated.TryGetValues("Upgrade", out HeaderStringValues values) || values.Count != 1) return false;
        return HopByHop.HasToken(asked, values.ToString());
    }

    private static bool HasSoundFraming(HttpResponseMessage response)
    {
        if (response.Version.Major != 1) return true;
        bool hasLength = response.Content.Headers.NonValidated.TryGetValues("Content-Length", out HeaderStringValues length);
        if (hasLength && (length.Count != 1 || response.Content.Headers.ContentLength is null)) return false;
        if (!response.Headers.NonValidated.TryGetValues("Transfer-Encoding", out HeaderStringValues coding)) return true;
        return !hasLength && coding.Count == 1 && coding.ToString().Equals("chunked", StringComparison.OrdinalIgnoreCase);
    }

    private static bool HasSoundFields(HttpResponseMessage response) =>
        AreSound(response.Headers.NonValidated) && AreSound(response.Content.Headers.NonValidated);

    private static bool AreSound(HttpHeadersNonValidated fields)
    {
        foreach ((_, HeaderStringValues values) in fields)
        {
            foreach (string value in values)
            {
                if (!FieldSyntax.IsValue(value)) return false;
            }
        }
        return true;
    }
}
