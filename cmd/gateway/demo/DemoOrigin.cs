using System.Globalization;
using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Gateway.Command.Demo;

/// <summary>
/// A small friendly origin to put behind a gateway: every path says who answered and what arrived; <c>/slow</c>, <c>/stream</c>,
/// <c>/ws</c>, <c>/status/N</c> and <c>/bytes/N</c> behave as named.
/// </summary>
internal sealed class DemoOrigin : IAsyncDisposable
{
    private const int LongestBody = 1 << 30;
    private readonly WebApplication _app;
    private readonly string _name;
    private readonly TimeProvider _time;

    private DemoOrigin(WebApplication app, string name, TimeProvider time)
    {
        _app = app;
        _name = name;
        _time = time;
    }

    /// <summary>Starts to listen. Throws <see cref="IOException"/> when the address is taken.</summary>
    /// <param name="address">Where; port 0 takes a free one.</param>
    /// <param name="http2">Speak HTTP/2 by prior knowledge in place of HTTP/1.1.</param>
    public static async Task<DemoOrigin> StartAsync(IPEndPoint address, string name, bool http2, TimeProvider time, CancellationToken cancellationToken)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        _ = builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(address, listen => listen.Protocols = http2 ? HttpProtocols.Http2 : HttpProtocols.Http1);
        });
        WebApplication app = builder.Build();
        var origin = new DemoOrigin(app, name, time);
        _ = app.UseWebSockets();
        app.Run(origin.AnswerAsync);
        try
        {
            await app.StartAsync(cancellationToken);
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
        return origin;
    }

    /// <summary>Where it listens, with the real port.</summary>
    public string Url => _app.Urls.First();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private Task AnswerAsync(HttpContext context)
    {
        context.Response.Headers["X-Origin"] = _name;
        string[] path = (context.Request.Path.Value ?? "/").Split('/', StringSplitOptions.RemoveEmptyEntries);
        return path switch
        {
            ["slow"] => SlowAsync(context),
            ["stream"] => StreamAsync(context),
            ["ws"] when context.WebSockets.IsWebSocketRequest => WebSocketAsync(context),
            ["status", var text] when int.TryParse(text, CultureInfo.InvariantCulture, out int status) && status is >= 200 and <= 599 => StatusAsync(context, status),
            ["bytes", var text] when int.TryParse(text, CultureInfo.InvariantCulture, out int count) && count is >= 0 and <= LongestBody => BytesAsync(context, count),
            _ => EchoAsync(context),
        };
    }

    /// <summary>Answers after <c>?ms=</c> milliseconds, two seconds unless told.</summary>
    private async Task SlowAsync(HttpContext context)
    {
        await Task.Delay(TimeSpan.FromMilliseconds(Number(context, "ms", 2000)), _time, context.RequestAborted);
        await EchoAsync(context);
    }

    /// <summary>Server-sent events: <c>?n=</c> of them, one every <c>?ms=</c> milliseconds.</summary>
    private async Task StreamAsync(HttpContext context)
    {
        int count = Number(context, "n", 10), pause = Number(context, "ms", 1000);
        context.Response.ContentType = "text/event-stream";
        context.Response.Headers.CacheControl = "no-store";
        for (int i = 1; i <= count; i++)
        {
            await context.Response.WriteAsync($"id: {i}\ndata: {_name} {i} of {count}\n\n", context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
            if (i < count) await Task.Delay(TimeSpan.FromMilliseconds(pause), _time, context.RequestAborted);
        }
    }

    /// <summary>Sends every message back as it came.</summary>
    private static async Task WebSocketAsync(HttpContext context)
    {
        using WebSocket socket = await context.WebSockets.AcceptWebSocketAsync();
        byte[] buffer = new byte[16 << 10];
        while (true)
        {
            ValueWebSocketReceiveResult part = await socket.ReceiveAsync(buffer.AsMemory(), context.RequestAborted);
            if (part.MessageType == WebSocketMessageType.Close)
            {
                await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, context.RequestAborted);
                return;
            }
            await socket.SendAsync(buffer.AsMemory(0, part.Count), part.MessageType, part.EndOfMessage, context.RequestAborted);
        }
    }

    private Task StatusAsync(HttpContext context, int status)
    {
        context.Response.StatusCode = status;
        return status is 204 or 205 or 304 ? Task.CompletedTask : context.Response.WriteAsync($"{_name} says {status}\n", context.RequestAborted);
    }

    private static async Task BytesAsync(HttpContext context, int count)
    {
        context.Response.ContentType = "application/octet-stream";
        context.Response.ContentLength = count;
        byte[] block = new byte[64 << 10];
        Array.Fill(block, (byte)'x');
        for (int left = count; left > 0; left -= block.Length)
            await context.Response.Body.WriteAsync(block.AsMemory(0, Math.Min(left, block.Length)), context.RequestAborted);
    }

    private async Task EchoAsync(HttpContext context)
    {
        long received = await DrainAsync(context);
        if (context.Request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase))
        {
            context.Response.ContentType = "text/html; charset=utf-8";
            string path = WebUtility.HtmlEncode(RawTarget(context));
            await context.Response.WriteAsync(
                $"<!doctype html><title>{_name}</title><h1>Hello from {_name}</h1><p>{context.Request.Method} {path}</p>", context.RequestAborted);
            return;
        }
        using var body = new MemoryStream();
        using (var json = new Utf8JsonWriter(body, new JsonWriterOptions { Indented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            WriteEcho(json, context.Request, received);
        body.WriteByte((byte)'\n');
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(context.Request.Method)) await context.Response.Body.WriteAsync(body.GetBuffer().AsMemory(0, (int)body.Length), context.RequestAborted);
    }

    private void WriteEcho(Utf8JsonWriter json, HttpRequest request, long received)
    {
        json.WriteStartObject();
        json.WriteString("origin", _name);
        json.WriteString("method", request.Method);
        json.WriteString("target", RawTarget(request.HttpContext));
        json.WriteString("protocol", request.Protocol);
        json.WriteNumber("bodyBytes", received);
        json.WriteStartObject("headers");
        foreach ((string name, Microsoft.Extensions.Primitives.StringValues values) in request.Headers.OrderBy(h => h.Key, StringComparer.OrdinalIgnoreCase))
            json.WriteString(name.ToLowerInvariant(), values.ToString());
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static async Task<long> DrainAsync(HttpContext context)
    {
        long received = 0;
        byte[] buffer = new byte[64 << 10];
        int count;
        while ((count = await context.Request.Body.ReadAsync(buffer, context.RequestAborted)) > 0) received += count;
        return received;
    }

    private static string RawTarget(HttpContext context) => context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;

    private static int Number(HttpContext context, string name, int otherwise) =>
        int.TryParse(context.Request.Query[name], CultureInfo.InvariantCulture, out int value) && value is >= 0 and <= 600_000 ? value : otherwise;
}
