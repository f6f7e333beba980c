using System.Globalization;

namespace Gateway.TestKit;

/// <summary>The chunked coding, read strictly: anything but exact framing is an error of the test's subject.</summary>
internal static class HttpFraming
{
    /// <summary>Reads to the end of the trailer section. <c>Whole</c> is false when the connection ended inside.</summary>
    public static async Task<(byte[] Body, List<KeyValuePair<string, string>> Trailers, bool Whole)> ReadChunkedAsync(
        WireReader reader, List<int> chunkSizes, CancellationToken cancellationToken)
    {
        var body = new MemoryStream();
        var trailers = new List<KeyValuePair<string, string>>();
        while (true)
        {
            string? line = await reader.ReadThroughAsync("\r\n", cancellationToken);
            if (line is null) return (body.ToArray(), trailers, false);
            string digits = line[..^2].Split(';')[0];
            if (!int.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int size))
                throw new InvalidDataException($"chunk size expected, got '{line}'");
            if (size == 0) break;
            chunkSizes.Add(size);
            byte[] data = await reader.ReadAsync(size, cancellationToken);
            body.Write(data);
            byte[] end = await reader.ReadAsync(2, cancellationToken);
            if (data.Length < size || end.Length < 2) return (body.ToArray(), trailers, false);
            if (end[0] != '\r' || end[1] != '\n') throw new InvalidDataException("no CRLF after a chunk");
        }
        while (true)
        {
            string? line = await reader.ReadThroughAsync("\r\n", cancellationToken);
            if (line is null) return (body.ToArray(), trailers, false);
            if (line.Length == 2) return (body.ToArray(), trailers, true);
            trailers.Add(Field(line[..^2]));
        }
    }

    public static KeyValuePair<string, string> Field(string line)
    {
        int colon = line.IndexOf(':', StringComparison.Ordinal);
        if (colon <= 0) throw new InvalidDataException($"header field expected, got '{line}'");
        return new(line[..colon], line[(colon + 1)..].Trim());
    }
}
