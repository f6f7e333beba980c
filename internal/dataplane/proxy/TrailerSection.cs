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

    public static void Copy(HttpResponseHeaders trailers, KestrelDownstream client)
    {
        foreach ((string name, HeaderStringValues values) in trailers.NonValidated)
        {
            if (!IsAllowed(name)) continue;
            foreach (string value in values)
            {
                if (FieldSyntax.IsValue(value)) client.AddTrailer(name, value);
            }
        }
    }

    /// <summary>Writes the last chunk and the trailers.</summary>
    public static async ValueTask WriteAsync(HttpResponseHeaders trailers, PipeWriter writer)
    {
        var text = new StringBuilder("0\r\n");
        foreach ((string name, HeaderStringValues values) in trailers.NonValidated)
        {
            if (!IsAllowed(name)) continue;
            foreach (string value in values)
            {
                if (FieldSyntax.IsValue(value)) text.Append(name).Append(": ").Append(value).Append("\r\n");
            }
        }
        text.Append("\r\n");
        await writer.WriteAsync(Encoding.Latin1.GetBytes(text.ToString()));
    }

    private static bool IsAllowed(string name) => !HopByHop.Is(name) && !Forbidden.Contains(name);
}
