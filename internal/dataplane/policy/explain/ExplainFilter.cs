using System.Buffers;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Gateway.Core.Router;
using Gateway.DataPlane.Runtime;
using Microsoft.Extensions.Primitives;

namespace Gateway.DataPlane.Policy.Explain;

/// <summary>Explains a request to those who may ask, in a header of its response. Everyone else's question is as if it were not there.</summary>
internal sealed class ExplainFilter(IPNetwork[] networks, byte[]? key, TimeProvider time) : IRequestFilter
{
    public const string FieldName = "X-Gateway-Explain";

    // A signature that never ends would be a password.
    private static readonly TimeSpan LongestLife = TimeSpan.FromDays(1);

    // Beyond about 8 KB of headers some clients give up on a response.
    private const int MostBytes = 4096;

    public ValueTask<bool> OnRequestAsync(RequestContext context)
    {
        StringValues asked = context.Downstream.RequestHeaders[FieldName];
        if (asked.Count != 0 && (IsNear(context.Peer) || IsSigned(asked.ToString()))) context.Downstream.ResponseHeaders[FieldName] = Answer(context);
        return new(false);
    }

    public FilterEffect Explain(in DescribedRequest request) => new("explainHeader", $"answers {FieldName} to those who may ask");

    private bool IsNear(IPAddress? peer)
    {
        if (peer is null) return false;
        if (peer.IsIPv4MappedToIPv6) peer = peer.MapToIPv4();
        foreach (IPNetwork network in networks)
            if (network.Contains(peer)) return true;
        return false;
    }

    private bool IsSigned(string value)
    {
        int dot = value.IndexOf('.');
        if (key is null || dot <= 0 || !long.TryParse(value.AsSpan(0, dot), NumberStyles.None, CultureInfo.InvariantCulture, out long expires)) return false;
        long now = time.GetUtcNow().ToUnixTimeSeconds();
        if (expires <= now || expires > now + (long)LongestLife.TotalSeconds) return false;
        string expected = Convert.ToHexStringLower(HMACSHA256.HashData(key, Encoding.ASCII.GetBytes($"gateway-explain.{value.AsSpan(0, dot)}")));
        return CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(expected), Encoding.UTF8.GetBytes(value[(dot + 1)..]));
    }

    private static string Answer(RequestContext context)
    {
        var headers = new List<KeyValuePair<string, string>>();
        foreach (KeyValuePair<string, StringValues> field in context.Downstream.RequestHeaders)
            foreach (string? value in field.Value) headers.Add(new(field.Key, value ?? ""));
        string target = context.RawPathAndQuery;
        string query = context.RawPathLength < target.Length ? target[(context.RawPathLength + 1)..] : "";
        // As the router was asked: an extended CONNECT is a GET to it.
        string method = context.Downstream.Method == "CONNECT" ? "GET" : context.Downstream.Method;
        var request = new DescribedRequest(method, context.Downstream.Scheme, context.Host, target[..context.RawPathLength], query, headers);
        for (int candidates = 8; ; candidates /= 2)
        {
            (_, RouteExplanation explanation) = context.Listener.Routes.Explain(request, candidates);
            string text = Text(context, explanation);
            if (text.Length <= MostBytes) return text;
            if (candidates == 0) return "{}";
        }
    }

    // All in ASCII: what is not is escaped.
    private static string Text(RequestContext context, RouteExplanation explanation)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("version", context.SnapshotVersion);
            if (Variants.LabelOf(context.Variant) is { } variant) json.WriteString("variant", variant);
            json.WriteString("listener", context.Listener.Name);
            json.WriteString("route", context.Route?.Name);
            if (context.Route?.Pool is { } pool) json.WriteString("pool", pool.Name);
            json.WriteString("path", explanation.Path);
            json.WriteStartArray("candidates");
            foreach (RouteCandidate candidate in explanation.Candidates)
            {
                json.WriteStartObject();
                json.WriteString("route", candidate.Name);
                json.WriteString("verdict", candidate.Verdict.ToString().ToLowerInvariant());
                json.WriteString("reason", candidate.Reason);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return Encoding.ASCII.GetString(buffer.WrittenSpan);
    }
}
