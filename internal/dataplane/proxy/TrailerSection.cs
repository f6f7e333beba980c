using System.Collections.Frozen;
using System.IO.Pipelines;
using System.Net.Http.Headers;
using System.Text;

namespace Gateway.DataPlane.Proxy;

/// <summary>The trailers of a response, for a client of HTTP/2 and as the end of a chunked body of HTTP/1.1.</summary>
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
