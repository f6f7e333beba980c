using System.Text;
using Gateway.Core.Http1;
using Gateway.DataPlane.Runtime;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Gateway.DataPlane.Proxy.Http1;

/// <summary>The head of an upstream's response out of its bytes: checked, then copied to the client without what ends at this hop.</summary>
internal static class Http1ResponseHead
{
    /// <summary>Fails the request when the response is an upgrade that nobody asked for. What is malformed the parser has refused before.</summary>
    public static void Check(Exchange exchange, Http1Response response)
    {
        if (response.Head.Status != 101) return;
        string? upgrade = null, accept = null;
        ReadOnlySpan<byte> bytes = response.HeadBytes;
        foreach (ref readonly HeaderField field in response.Fields)
        {
            if (field.Kind == FieldKind.Upgrade) upgrade = Encoding.Latin1.GetString(field.Value(bytes));
            else if (Ascii.EqualsIgnoreCase(field.Name(bytes), "sec-websocket-accept"u8)) accept = Encoding.Latin1.GetString(field.Value(bytes));
        }
        if (exchange.Downstream.UpgradeProtocol is not { } asked || upgrade is null || !HopByHop.HasToken(asked, upgrade))
            exchange.Context.Fail(ErrorCategory.UpstreamProtocolError, "The upstream switched to a protocol that was not asked for.");
        else if (!WebSocketBridge.IsAccepted(exchange, accept))
            exchange.Context.Fail(ErrorCategory.UpstreamProtocolError, "The upstream's WebSocket handshake is wrong.");
    }

    /// <summary>Null without the field.</summary>
    public static string? RetryAfterOf(Http1Response response)
    {
        ReadOnlySpan<byte> bytes = response.HeadBytes;
        foreach (ref readonly HeaderField field in response.Fields)
        {
            if (Ascii.EqualsIgnoreCase(field.Name(bytes), "retry-after"u8)) return Encoding.Latin1.GetString(field.Value(bytes));
        }
        return null;
    }

    /// <summary>Sets the client's status and header fields. True: the body's chunk framing and trailers are to be written by the caller.</summary>
    public static bool Copy(Exchange exchange, Http1Response response, bool upgraded)
    {
        KestrelDownstream client = exchange.Downstream;
        IHeaderDictionary headers = client.ResponseHeaders;
        if (!upgraded) client.StatusCode = response.Head.Status;
        HeaderText text = HeaderText.OfThread;
        ReadOnlySpan<byte> bytes = response.HeadBytes;
        // A bit for each name that may be there already: only then is it worth looking.
        ulong seen = headers.Count == 0 ? 0 : ulong.MaxValue;
        bool hasVia = seen != 0;
        foreach (ref readonly HeaderField field in response.Fields)
        {
            if (field.Kind is not (FieldKind.Other or FieldKind.Trailer or FieldKind.NamedByConnection)) continue;
            string name = text.OfName(field.Name(bytes), out bool endsHere, out int place);
            if (endsHere || (field.Kind == FieldKind.NamedByConnection && HopByHop.MayBeNamed(name))) continue;
            StringValues value = text.Of(field.Value(bytes));
            ulong bit = 1UL << place;
            if ((seen & bit) != 0 && headers.TryGetValue(name, out StringValues before)) value = StringValues.Concat(before, value);
            seen |= bit;
            hasVia |= name.Length == 3;
            headers[name] = value;
        }
        string via = response.Head.MinorVersion == 0 ? "1.0 gateway" : "1.1 gateway";
        if (hasVia) headers.Append("Via", via);
        else headers.Via = via;
        if (response.Head.Facts.ContentLength >= 0) headers.ContentLength = response.Head.Facts.ContentLength;
        return ResponseHead.Finish(exchange, headers, response.Head.Status, upgraded, hasBody: response.Framing.Kind != BodyKind.None);
    }
}
