using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Gateway.Bench.Scale;

/// <summary>A document with many routes: ten paths on each host, every third one with a method, a hundred routes to a pool.</summary>
internal static class ScaleConfig
{
    private const int RoutesPerHost = 10;
    private const int RoutesPerPool = 100;

    /// <param name="routes">Number of routes; the last one answers by itself with <paramref name="answer"/>.</param>
    /// <param name="upstream">The endpoint of every pool.</param>
    /// <param name="answer">What the changed route answers.</param>
    public static byte[] Write(int routes, string upstream, string answer)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("version", "v1");
            json.WriteStartArray("listeners");
            json.WriteStartObject();
            json.WriteString("name", "web");
            json.WriteString("address", "127.0.0.1:0");
            json.WriteEndObject();
            json.WriteEndArray();
            json.WriteStartArray("routes");
            for (int i = 0; i < routes - 1; i++) WriteRoute(json, i);
            json.WriteStartObject();
            json.WriteString("name", "changed");
            WriteMatch(json, ChangedHost, ChangedPath, null);
            json.WriteStartObject("respond");
            json.WriteString("body", answer);
            json.WriteEndObject();
            json.WriteEndObject();
            json.WriteEndArray();
            json.WriteStartObject("pools");
            for (int i = 0; i < (routes + RoutesPerPool - 1) / RoutesPerPool; i++)
            {
                json.WriteStartObject(Name("pool", i));
                json.WriteStartArray("endpoints");
                json.WriteStartObject();
                json.WriteString("address", upstream);
                json.WriteEndObject();
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
            json.WriteStartObject("accessLog");
            json.WriteString("output", "off");
            json.WriteEndObject();
            json.WriteEndObject();
        }
        return buffer.ToArray();
    }

    public const string ChangedHost = "changed.example.com";
    public const string ChangedPath = "/changed";

    /// <summary>A request that route <paramref name="i"/> takes.</summary>
    public static (string Host, string Path) RequestOf(int i) => (Host(i), Path(i) + "/x");

    private static void WriteRoute(Utf8JsonWriter json, int i)
    {
        json.WriteStartObject();
        json.WriteString("name", Name("route", i));
        WriteMatch(json, Host(i), Path(i), i % 3 == 1 ? "GET" : null);
        json.WriteString("pool", Name("pool", i / RoutesPerPool));
        json.WriteEndObject();
    }

    private static void WriteMatch(Utf8JsonWriter json, string host, string path, string? method)
    {
        json.WriteStartObject("match");
        json.WriteStartArray("hosts");
        json.WriteStringValue(host);
        json.WriteEndArray();
        json.WriteStartObject("path");
        json.WriteString("prefix", path);
        json.WriteEndObject();
        if (method is not null)
        {
            json.WriteStartArray("methods");
            json.WriteStringValue(method);
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    private static string Host(int i) => $"{Name("host", i / RoutesPerHost)}.example.com";

    private static string Path(int i) => $"/api/{Name("service", i % RoutesPerHost)}";

    private static string Name(string kind, int i) => new StringBuilder(kind).Append('-').Append(i.ToString(CultureInfo.InvariantCulture)).ToString();
}
