using System.Globalization;
using System.Text;
using BenchmarkDotNet.Attributes;
using Gateway.Bench.Micro.Cases;

namespace Gateway.Bench.Micro;

/// <summary>Heads and chunks as spans of the bytes that came, beside what one writes first: text that is split into lines and a dictionary.</summary>
[MemoryDiagnoser]
public class Http1Benchmark
{
    [Benchmark]
    public int PlainRequest() => Http1Operations.ReadRequest();

    [Benchmark]
    public int RequestBySplitting() => Split(Http1Operations.Request).Count;

    [Benchmark]
    public int ResponseHead() => Http1Operations.ReadResponse();

    [Benchmark]
    public int ResponseBySplitting() => Split(Http1Operations.Response).Count;

    [Benchmark]
    public int ChunkedDecoder() => Http1Operations.ReadChunks();

    [Benchmark]
    public int ChunksByLines()
    {
        byte[] bytes = Http1Operations.Chunks;
        using var body = new MemoryStream();
        for (int at = 0; ;)
        {
            int end = Array.IndexOf(bytes, (byte)'\n', at);
            int size = int.Parse(Encoding.ASCII.GetString(bytes, at, end - at - 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if (size == 0) return (int)body.Length;
            body.Write(bytes, end + 1, size);
            at = end + 1 + size + 2;
        }
    }

    private static Dictionary<string, string> Split(byte[] head)
    {
        var fields = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        string[] lines = Encoding.Latin1.GetString(head).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        _ = lines[0].Split(' ');
        foreach (string line in lines.AsSpan(1))
        {
            int colon = line.IndexOf(':');
            fields[line[..colon]] = line[(colon + 1)..].Trim();
        }
        return fields;
    }
}
