namespace Gateway.Config;

[Doc("A request and what must become of it: at least one of route, pool, status and headers.")]
public sealed record ExpectConfig
{
    [Doc("The request. It is decided as a real one is, but goes nowhere.")]
    public required ExpectRequestConfig Request { get; init; }

    [Doc("The route that it must match.")]
    public string? Route { get; init; }

    [Doc("The pool that it must be forwarded to.")]
    public string? Pool { get; init; }

    [Doc("The status that the gateway must answer by itself: that of a redirect or a fixed response, or 404 when no route may match.")]
    [Range("200", "599")]
    public int? Status { get; init; }

    [Doc("Header fields that the gateway's own answer must have, with exactly this value; of a redirect that is Location.")]
    [Example("{ \"Location\": \"https://shop.example.com/\" }")]
    public IReadOnlyDictionary<string, string> Headers { get; init; } = Empty<string>.Map;
}

[Doc("A request as a client would send it.")]
public sealed record ExpectRequestConfig
{
    [Doc("The method.")]
    public string Method { get; init; } = "GET";

    [Doc("The whole URL, percent-encoded: https://host:port/path?query. By scheme and port it goes to the listener that serves them, else to the first of the route's that has TLS or has not.")]
    [Example("\"http://shop.example.com/api/x\"")]
    public required string Url { get; init; }

    [Doc("Header fields.")]
    public IReadOnlyDictionary<string, string> Headers { get; init; } = Empty<string>.Map;
}
