using Gateway.Core.Http1;

namespace Gateway.Bench.Micro.Cases;

/// <summary>The codec of core/http1 over messages as browsers and servers send them: of section "core" of bench/budgets.json, and of the benchmark.</summary>
internal static class Http1Operations
{
    public static readonly byte[] Request =
        """
        GET /api/v1/orders/4711?page=2 HTTP/1.1
        Host: shop.example.com
        User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0
        Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8
        Accept-Language: en-US,en;q=0.5
        Accept-Encoding: gzip, deflate, br, zstd
        Cookie: session=0123456789abcdef; theme=dark
        Connection: keep-alive


        """.ReplaceLineEndings("\r\n").Select(static c => (byte)c).ToArray();

    public static readonly byte[] Response =
        """
        HTTP/1.1 200 OK
        Server: nginx
        Date: Fri, 20 Nov 2026 12:00:00 GMT
        Content-Type: application/json; charset=utf-8
        Content-Length: 130
        Cache-Control: no-cache
        ETag: "0123456789abcdef"
        Vary: Accept-Encoding
        Connection: keep-alive


        """.ReplaceLineEndings("\r\n").Select(static c => (byte)c).ToArray();

    /// <summary>Sixteen chunks of 256 bytes.</summary>
    public static readonly byte[] Chunks = (string.Concat(Enumerable.Repeat($"100\r\n{new string('x', 256)}\r\n", 16)) + "0\r\n\r\n").Select(static c => (byte)c).ToArray();

    private static readonly HeaderField[] Fields = new HeaderField[64];

    public static IEnumerable<(string Name, int Times, Action Run)> All()
    {
        yield return ("Http1.PlainRequest", 10_000, static () => ReadRequest());
        yield return ("Http1.ResponseHead", 10_000, static () => ReadResponse());
        yield return ("Http1.ChunkedDecoder", 10_000, static () => ReadChunks());
    }

    /// <summary>The number of fields.</summary>
    public static int ReadRequest() => PlainRequest.TryReadLine(Request, out PlainLine line) && PlainRequest.TryReadFields(Request, line.FieldsStart, Fields, out PlainFields fields)
        ? fields.Count
        : throw new InvalidOperationException("the request is not plain");

    /// <inheritdoc cref="ReadRequest"/>
    public static int ReadResponse() => ResponseHead.Parse(Response, Fields, out ResponseHead head) == ParseStatus.Complete
        ? head.FieldCount
        : throw new InvalidOperationException("the response is not whole");

    /// <summary>The bytes of the body.</summary>
    public static int ReadChunks()
    {
        var decoder = new ChunkedDecoder();
        int total = 0;
        for (ReadOnlySpan<byte> rest = Chunks; ;)
        {
            ChunkEvent found = decoder.Next(rest, out int consumed, out int start);
            if (found == ChunkEvent.Data) total += consumed - start;
            else return found == ChunkEvent.Trailers ? total : throw new InvalidOperationException($"{found}");
            rest = rest[consumed..];
        }
    }
}
