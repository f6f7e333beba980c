using System.Text.Json;

namespace Gateway.TestKit;

/// <summary>What an origin's echo answers: the request as it arrived.</summary>
/// <param name="Origin">Which origin answered.</param>
/// <param name="Target">The request target byte for byte.</param>
/// <param name="Headers">Values by name in lower case; several values as they came, joined by ", ".</param>
/// <param name="Body">Up to 64 KiB of the body as UTF-8.</param>
/// <param name="Trailers">Request trailers, by name in lower case.</param>
public sealed record Echo(
    string Origin, string Method, string Target, string Protocol, Dictionary<string, string> Headers,
    string Body, long BodyLength, Dictionary<string, string> Trailers)
{
    internal static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    public string? this[string header] => Headers.GetValueOrDefault(header.ToLowerInvariant());

    public static Echo Parse(string json) => JsonSerializer.Deserialize<Echo>(json, Json)!;
}
