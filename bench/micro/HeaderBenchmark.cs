using System.Text;
using BenchmarkDotNet.Attributes;
using Gateway.DataPlane.Proxy.Direct;
using Gateway.DataPlane.Proxy.Http1;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Gateway.Bench.Micro;

/// <summary>Strings for a response's fields beside making them, and the table that keeps a dozen fields beside a dictionary.</summary>
[MemoryDiagnoser]
public class HeaderBenchmark
{
    private static readonly byte[][] Names = [.. new[] { "Server", "Date", "content-type", "Cache-Control", "ETag", "Vary", "X-Request-Cost", "x-powered-by" }.Select(Encoding.ASCII.GetBytes)];
    private static readonly string[] Fields =
        [HeaderNames.Host, HeaderNames.UserAgent, HeaderNames.Accept, HeaderNames.AcceptLanguage, HeaderNames.AcceptEncoding, HeaderNames.Cookie, HeaderNames.Referer, "X-Shard"];

    private readonly FieldTable _table = [];
    private readonly Dictionary<string, StringValues> _dictionary = new(StringComparer.OrdinalIgnoreCase);
    private readonly HeaderDictionary _headers = [];

    [Benchmark]
    public int HeaderTextOfEight()
    {
        HeaderText text = HeaderText.OfThread;
        int length = 0;
        foreach (byte[] name in Names) length += text.OfName(name, out _, out _).Length;
        return length;
    }

    [Benchmark]
    public int NewStringsOfEight()
    {
        int length = 0;
        foreach (byte[] name in Names) length += Encoding.Latin1.GetString(name).Length;
        return length;
    }

    [Benchmark]
    public int FieldTableOfEight()
    {
        foreach (string name in Fields) _table.Append(name, "value");
        int found = 0;
        foreach (string name in Fields) found += _table[name].Count;
        _table.Clear();
        return found;
    }

    [Benchmark]
    public int DictionaryOfEight()
    {
        foreach (string name in Fields) _dictionary.Add(name, "value");
        int found = 0;
        foreach (string name in Fields) found += _dictionary[name].Count;
        _dictionary.Clear();
        return found;
    }

    [Benchmark]
    public int HeaderDictionaryOfEight()
    {
        foreach (string name in Fields) _headers.Append(name, "value");
        int found = 0;
        foreach (string name in Fields) found += _headers[name].Count;
        _headers.Clear();
        return found;
    }
}
