using System.Collections.Frozen;
using System.IO.Pipelines;
using System.Net.Http.Headers;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Gateway.DataPlane.Proxy;

/// <summary>The trailers of a message: of a response, for a client of HTTP/2 and as the end of a chunked body of HTTP/1.1; of a request, for an upstream of HTTP/1.1 (the handler for the others has no way to send them).</summary>
internal static class TrailerSection
{
    // What would change how a message is framed, routed or taken apart after the fact (RFC 9110 section 6.5.1).
    private static readonly FrozenSet<string> Forbidden = FrozenSet.Create(StringComparer.OrdinalIgnoreCase,
        "Content-Length", "Host", "Trailer", "Content-Encoding", "Content-Type", "Content-Range", "Cache-Control", "Expect", "Max-Forwards",
        "Authorization", "Set-Cookie");

    public static void Copy(IReadOnlyList<(string Name, string Value)> trailers, KestrelDownstream client)
    {
        foreach ((string name, string value) in trailers)
        {
            if (IsAllowed(name) && FieldSyntax.IsValue(value)) client.AddTrailer(name, value);
        }
    }

    /// <summary>Writes the last chunk and the trailers.</summary>
    public static async ValueTask WriteAsync(IReadOnlyList<(string Name, string Value)> trailers, PipeWriter writer)
    {
        var text = new StringBuilder("0\r\n");
        foreach ((string name, string value) in trailers)
        {
            if (IsAllowed(name) && FieldSyntax.IsValue(value)) text.Append(name).Append(": ").Append(value).Append("\r\n");
        }
        text.Append("\r\n");
        await writer.WriteAsync(Encoding.Latin1.GetBytes(text.ToString()));
    }

    /// <summary>A request's trailers as field lines; empty for none.</summary>
    public static string Lines(IHeaderDictionary? trailers)
    {
        if (trailers is null || trailers.Count == 0) return "";
        var text = new StringBuilder();
        foreach ((string name, StringValues values) in trailers)
        {
            if (!IsAllowed(name) || !FieldSyntax.IsName(name)) continue;
            foreach (string? value in values)
            {
                if (FieldSyntax.IsValue(value!)) text.Append(name).Append(": ").Append(value).Append("\r\n");
            }
        }
        return text.ToString();
    }

    /// <summary>The handler's trailers, one entry a value.</summary>
    public static IReadOnlyList<(string Name, string Value)> Of(HttpResponseHeaders trailers)
    {
        List<(string, string)>? all = null;
        foreach ((string name, HeaderStringValues values) in trailers.NonValidated)
        {
            foreach (string value in values) (all ??= []).Add((name, value));
        }
        return all ?? (IReadOnlyList<(string, string)>)[];
    }

    private static bool IsAllowed(string name) => !HopByHop.Is(name) && !Forbidden.Contains(name);
}
