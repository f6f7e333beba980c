using System.Buffers;
using System.Globalization;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Gateway.TestKit;

/// <summary>
/// The ready-made endpoints of <see cref="HttpOrigin"/>:
/// <c>/bytes/N</c> N bytes with a Content-Length, <c>?chunked=1</c> without;
/// <c>/hold?gate=G</c> answers after the gate; <c>/half?gate=G</c> sends "first ", passes the gate, sends "second";
/// <c>/sse?count=N&amp;gate=G</c> events, each after a pass;
/// <c>/sink</c> reads the body and answers its length and SHA-256; <c>/early?status=S</c> answers without reading the body;
/// <c>/status/S</c>; <c>/trailers</c> (HTTP/2); <c>/headers?name=value</c> sets response headers; <c>/abort?after=N&amp;gate=G</c> dies after N bytes and the gate;
/// <c>/ws</c> WebSocket echo; <c>/test.Echo/*</c> gRPC, see <see cref="GrpcOrigin"/>.
/// </summary>
internal static class OriginEndpoints
{
    private static readonly byte[] Filler = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("0123456789abcdef", 4096)));

    public static RequestDelegate Find(HttpOrigin origin, string path)
    {
        string[] parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        return parts switch
        {
            ["bytes", var n] => http => BytesAsync(http, long.Parse(n, CultureInfo.InvariantCulture)),
            ["hold"] => async http => { await PassAsync(origin, http); await EchoAsync(origin, http); }
            ,
            ["half"] => http => HalfAsync(origin, http),
            ["sse"] => http => EventsAsync(origin, http),
            ["sink"] => SinkAsync,
            ["early"] => http => EarlyAsync(http),
            ["status", var s] => http => { http.Response.StatusCode = int.Parse(s, CultureInfo.InvariantCulture); return Task.CompletedTask; }
            ,
            ["trailers"] => TrailersAsync,
            ["headers"] => HeadersAsync,
            ["abort"] => http => AbortAsync(origin, http),
            ["ws"] => WebSocketAsync,
            ["test.Echo", ..] => http => GrpcOrigin.ServeAsync(origin, http),
            _ => http => EchoAsync(origin, http),
        };
    }

    internal static async Task PassAsync(HttpOrigin origin, HttpContext http)
    {
        if (http.Request.Query["gate"].FirstOrDefault() is { Length: > 0 } gate) await origin.Gate(gate).PassAsync(http.RequestAborted);
    }

    private static async Task EchoAsync(HttpOrigin origin, HttpContext http)
    {
        var body = new MemoryStream();
        byte[] buffer = new byte[16384];
        long length = 0;
        for (int n; (n = await http.Request.Body.ReadAsync(buffer, http.RequestAborted)) > 0; length += n)
            if (body.Length < 65536) body.Write(buffer, 0, n);
        var headers = http.Request.Headers.ToDictionary(h => h.Key.ToLowerInvariant(), h => h.Value.ToString());
        Dictionary<string, string> trailers = http.Features.Get<IHttpRequestTrailersFeature>() is { Available: true } feature
            ? feature.Trailers.ToDictionary(h => h.Key.ToLowerInvariant(), h => h.Value.ToString())
            : [];
        var echo = new Echo(origin.Id, http.Request.Method, HttpOrigin.RawTarget(http), http.Request.Protocol, headers,
            Encoding.UTF8.GetString(body.ToArray()), length, trailers);
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(echo, Echo.Json);
        http.Response.ContentType = "application/json";
        http.Response.ContentLength = json.Length;
        if (!HttpMethods.IsHead(http.Request.Method)) await http.Response.Body.WriteAsync(json, http.RequestAborted);
    }

    private static async Task BytesAsync(HttpContext http, long count)
    {
        if (!http.Request.Query.ContainsKey("chunked")) http.Response.ContentLength = count;
        for (long left = count; left > 0;)
        {
            int n = (int)Math.Min(left, Filler.Length);
            await http.Response.Body.WriteAsync(Filler.AsMemory(0, n), http.RequestAborted);
            left -= n;
        }
    }

    private static async Task HalfAsync(HttpOrigin origin, HttpContext http)
    {
        await http.Response.WriteAsync("first ", http.RequestAborted);
        await http.Response.Body.FlushAsync(http.RequestAborted);
        await PassAsync(origin, http);
        await http.Response.WriteAsync("second", http.RequestAborted);
    }

    private static async Task EventsAsync(HttpOrigin origin, HttpContext http)
    {
        http.Response.ContentType = "text/event-stream";
        await http.Response.Body.FlushAsync(http.RequestAborted);
        int count = int.Parse(http.Request.Query["count"].FirstOrDefault() ?? "3", CultureInfo.InvariantCulture);
        for (int i = 1; i <= count; i++)
        {
            await PassAsync(origin, http);
            await http.Response.WriteAsync($"data: {i}\n\n", http.RequestAborted);
            await http.Response.Body.FlushAsync(http.RequestAborted);
        }
    }

    private static async Task SinkAsync(HttpContext http)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(65536);
        long length = 0;
        bool hashed = !http.Request.Query.ContainsKey("nohash");
        for (int n; (n = await http.Request.Body.ReadAsync(buffer, http.RequestAborted)) > 0; length += n)
            if (hashed) hash.AppendData(buffer, 0, n);
        ArrayPool<byte>.Shared.Return(buffer);
        await http.Response.WriteAsync($"{length} {Convert.ToHexStringLower(hash.GetHashAndReset())}", http.RequestAborted);
    }

    private static async Task EarlyAsync(HttpContext http)
    {
        http.Response.StatusCode = int.Parse(http.Request.Query["status"].FirstOrDefault() ?? "403", CultureInfo.InvariantCulture);
        byte[] text = "no need to read on"u8.ToArray();
        http.Response.ContentLength = text.Length;
        await http.Response.Body.WriteAsync(text, http.RequestAborted);
        await http.Response.CompleteAsync();
    }

    private static async Task TrailersAsync(HttpContext http)
    {
        http.Response.DeclareTrailer("x-checksum");
        await http.Response.WriteAsync("body", http.RequestAborted);
        http.Response.AppendTrailer("x-checksum", "abc123");
    }

    private static Task HeadersAsync(HttpContext http)
    {
        foreach (var pair in http.Request.Query) http.Response.Headers.Append(pair.Key, pair.Value);
        return http.Response.WriteAsync("ok", http.RequestAborted);
    }

    private static async Task AbortAsync(HttpOrigin origin, HttpContext http)
    {
        int after = int.Parse(http.Request.Query["after"].FirstOrDefault() ?? "0", CultureInfo.InvariantCulture);
        if (after > 0)
        {
            await http.Response.Body.WriteAsync(Filler.AsMemory(0, after), http.RequestAborted);
            await http.Response.Body.FlushAsync(http.RequestAborted);
        }
        await PassAsync(origin, http);
        http.Abort();
    }

    private static async Task WebSocketAsync(HttpContext http)
    {
        if (!http.WebSockets.IsWebSocketRequest)
        {
            http.Response.StatusCode = 400;
            return;
        }
        string? protocol = http.WebSockets.WebSocketRequestedProtocols.FirstOrDefault();
        using WebSocket socket = await http.WebSockets.AcceptWebSocketAsync(protocol);
        byte[] buffer = new byte[65536];
        while (true)
        {
            WebSocketReceiveResult got = await socket.ReceiveAsync(buffer, http.RequestAborted);
            if (got.MessageType == WebSocketMessageType.Close)
            {
                await socket.CloseAsync(got.CloseStatus ?? WebSocketCloseStatus.NormalClosure, got.CloseStatusDescription, http.RequestAborted);
                return;
            }
            await socket.SendAsync(buffer.AsMemory(0, got.Count), got.MessageType, got.EndOfMessage, http.RequestAborted);
        }
    }
}
