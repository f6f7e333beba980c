using Gateway.TestKit;

namespace Gateway.Bench.Soak;

/// <summary>One kind of client, how many of them there are, how often each acts, and what may come of it.</summary>
/// <param name="Share">Of the whole rate; in actions, one of which is a request or, of a tunnel, a message.</param>
internal sealed record Traffic(string Kind, int Clients, double Share, string[] Allowed, Func<SoakClient> Create)
{
    private static readonly string[] Whole = ["200"];

    /// <summary>All kinds; their shares add up to 1.</summary>
    /// <param name="web">The listener without TLS.</param>
    /// <param name="tls">The one with it.</param>
    public static IEnumerable<Traffic> All(Uri web, Uri tls)
    {
        const string good = "Host: good.test\r\n";
        string small = $"GET /bytes/130 HTTP/1.1\r\n{good}Accept: */*\r\n\r\n", large = $"GET /bytes/100000 HTTP/1.1\r\n{good}\r\n";
        yield return new("HTTP/1.1, small", 16, 0.30, Whole, () => new KeepAliveClient(web, small, 130));
        yield return new("HTTP/1.1 over TLS, small", 4, 0.06, Whole, () => new KeepAliveClient(tls, small, 130));
        yield return new("HTTP/1.1 over TLS, a connection per request", 2, 0.01, Whole, () => new KeepAliveClient(tls, small.Replace("Accept", "Connection: close\r\nAccept", StringComparison.Ordinal), 130));
        yield return new("HTTP/2 over TLS, small", 2, 0.02, Whole, () => new Http2Client(tls, 130));
        yield return new("gRPC, two-way", 4, 0.02, ["0"], () => new GrpcClient(web));
        yield return new("through an upstream of HTTP/2", 2, 0.02, Whole, () => new KeepAliveClient(web, small.Replace("good.test", SoakSite.H2cHost, StringComparison.Ordinal), 130));
        yield return new("through an upstream with TLS", 2, 0.02, Whole, () => new KeepAliveClient(web, small.Replace("good.test", SoakSite.HttpsHost, StringComparison.Ordinal), 130));
        yield return new("HTTP/1.1, 100 KB", 4, 0.04, Whole, () => new KeepAliveClient(web, large, 100_000));
        yield return new("HTTP/1.1, a connection per request", 4, 0.07, Whole, () => new KeepAliveClient(web, small.Replace("Accept", "Connection: close\r\nAccept", StringComparison.Ordinal), 130));
        yield return new("HTTP/1.1, chunked upload", 4, 0.04, Whole, () => new KeepAliveClient(web, ChunkedUpload(60_000), bodyBytes: null, bodyStart: "60000 "));
        yield return new("HTTP/2, small", 8, 0.20, Whole, () => new Http2Client(web, 130));
        yield return new("HTTP/2, 100 KB", 2, 0.02, Whole, () => new Http2Client(web, 100_000));
        yield return new("HTTP/2, upload", 2, 0.02, Whole, () => new Http2UploadClient(web, 60_000));
        yield return new("WebSocket over HTTP/1.1", 2, 0.03, Whole, () => new TunnelClient(web, new Version(1, 1)));
        yield return new("WebSocket over HTTP/2", 2, 0.03, Whole, () => new TunnelClient(web, new Version(2, 0)));
        yield return new("slow reader of 1 MB", 8, 0.005, Whole, () => new SlowReader(web));
        yield return new("leaves in the middle", 4, 0.025, ["left"], () => new LeavingClient(web));
        foreach ((string name, string[] allowed) in SoakSite.Allowed)
        {
            string request = $"GET /{name} HTTP/1.1\r\nHost: {name}.test\r\n\r\n";
            yield return new($"through the origin that {Verb(name)}", 2, 0.07 / SoakSite.Allowed.Count, allowed, () => new KeepAliveClient(web, request, SoakSite.FaultyBody));
        }
    }

    private static string Verb(string name) => name switch
    {
        "slow" => "answers after 200 ms",
        "errors" => "fails half of the time",
        "garbage" => "sends garbage",
        "cuts" => "resets after 2000 bytes",
        "resets" => "resets before the response",
        _ => name,
    };

    private static string ChunkedUpload(int bytes)
    {
        const int piece = 6000;
        string chunk = $"{piece:x}\r\n{new string('u', piece)}\r\n";
        return $"POST /sink?nohash=1 HTTP/1.1\r\nHost: good.test\r\nTransfer-Encoding: chunked\r\n\r\n{string.Concat(Enumerable.Repeat(chunk, bytes / piece))}0\r\n\r\n";
    }
}
