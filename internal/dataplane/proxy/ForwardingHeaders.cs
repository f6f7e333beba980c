using System.Collections.Frozen;
using Gateway.DataPlane.Runtime;
using Microsoft.Extensions.Primitives;

namespace Gateway.DataPlane.Proxy;

/// <summary>Takes the header fields of an upstream request. A struct, so that the rules compile once for each form of request without a call through an interface.</summary>
internal interface IHeaderSink
{
    void Add(string name, string value);
}

/// <summary>
/// What header fields an upstream gets: the client's end-to-end fields in their order, then what this hop says of itself. Framing
/// (Content-Length, Transfer-Encoding), Connection, Upgrade, Host and Expect are the sender's business: they depend on the connection.
/// </summary>
internal static class ForwardingHeaders
{
    /// <summary>The name that this hop has in Via and Proxy-Status.</summary>
    public const string Pseudonym = "gateway";

    private enum Rule : byte
    {
        Drop,
        ForwardedFor,
        ForwardedProto,
        ForwardedHost,
        ForwardedPort,
        Forwarded,
        Via,
    }

    private static readonly FrozenDictionary<string, Rule> Rules = new Dictionary<string, Rule>(HopByHop.Names.Select(static name => KeyValuePair.Create(name, Rule.Drop)))
    {
        ["Host"] = Rule.Drop,
        ["Content-Length"] = Rule.Drop,
        ["Expect"] = Rule.Drop,
        ["X-Request-Id"] = Rule.Drop,
        // A question to this gateway, perhaps with a signature that others could use.
        ["X-Gateway-Explain"] = Rule.Drop,
        ["X-Forwarded-For"] = Rule.ForwardedFor,
        ["X-Forwarded-Proto"] = Rule.ForwardedProto,
        ["X-Forwarded-Host"] = Rule.ForwardedHost,
        ["X-Forwarded-Port"] = Rule.ForwardedPort,
        ["Forwarded"] = Rule.Forwarded,
        ["Via"] = Rule.Via,
    }.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    /// <summary>All but X-Request-Id and the client's deadline, which are others for each request.</summary>
    public static void Write<TSink>(Exchange exchange, ref TSink sink)
        where TSink : struct, IHeaderSink
    {
        RequestContext context = exchange.Context;
        StringValues connection = context.Downstream.RequestHeaders.Connection;
        bool trusted = exchange.PeerTrusted;
        StringValues forwardedFor = default, forwarded = default, via = default;
        bool proto = false, host = false, port = false;
        string? deadline = exchange.ClientDeadline.Field;

        foreach ((string name, StringValues values) in exchange.Fields.All)
        {
            if (Rules.TryGetValue(name, out Rule rule))
            {
                switch (rule)
                {
                    case Rule.Via: via = values; break;
                    case Rule.ForwardedFor when trusted: forwardedFor = values; break;
                    case Rule.Forwarded when trusted: forwarded = values; break;
                    // What the first trusted hop saw is what the client did; this hop saw only that hop.
                    case Rule.ForwardedProto when trusted: proto = true; AddAll(ref sink, name, values); break;
                    case Rule.ForwardedHost when trusted: host = true; AddAll(ref sink, name, values); break;
                    case Rule.ForwardedPort when trusted: port = true; AddAll(ref sink, name, values); break;
                }
                continue;
            }
            if (connection.Count != 0 && HopByHop.IsNamedBy(connection, name)) continue;
            if (deadline is not null && name.Equals(deadline, StringComparison.OrdinalIgnoreCase)) continue;
            AddAll(ref sink, name, values);
        }

        if (Joined(forwardedFor, exchange.PeerText) is { Length: > 0 } chain) sink.Add("X-Forwarded-For", chain);
        if (!proto) sink.Add("X-Forwarded-Proto", context.Downstream.Scheme);
        if (!host && context.Host.Length != 0) sink.Add("X-Forwarded-Host", context.Host);
        if (!port) sink.Add("X-Forwarded-Port", exchange.ForwardedPort);
        sink.Add("Forwarded", Joined(forwarded, exchange.Forwarded));
        sink.Add("Via", Joined(via, ViaOf(context.Downstream.Protocol)));
    }

    /// <summary>This hop's element of Via for a message that was received over the protocol.</summary>
    public static string ViaOf(string protocol) => protocol switch
    {
        "HTTP/1.0" => "1.0 " + Pseudonym,
        "HTTP/2" => "2 " + Pseudonym,
        _ => "1.1 " + Pseudonym,
    };

    /// <param name="forwardedFor">Ready-made: <c>for=192.0.2.1</c>, <c>for="[2001:db8::1]"</c>.</param>
    public static string ForwardedElement(string forwardedFor, string host, string scheme) =>
        host.Length == 0 ? $"{forwardedFor};proto={scheme}"
        : FieldSyntax.IsName(host) ? $"{forwardedFor};host={host};proto={scheme}"
        // Anything else goes in quotes, so that a host cannot bring parameters of its own (RFC 7239 section 4).
        : $"{forwardedFor};host=\"{host.Replace("\\", "\\\\").Replace("\"", "\\\"")}\";proto={scheme}";

    public static string PortOf(string host, string scheme)
    {
        int colon = host.LastIndexOf(':');
        return colon >= 0 && colon < host.Length - 1 && host.IndexOf(']', colon) < 0 ? host[(colon + 1)..] : scheme == "https" ? "443" : "80";
    }

    private static void AddAll<TSink>(ref TSink sink, string name, StringValues values)
        where TSink : struct, IHeaderSink
    {
        for (int i = 0; i < values.Count; i++) sink.Add(name, values[i] ?? "");
    }

    private static string Joined(StringValues received, string? own) =>
        received.Count == 0 ? own ?? "" : own is null ? received.ToString() : string.Concat(string.Join(", ", received.ToArray()), ", ", own);
}
