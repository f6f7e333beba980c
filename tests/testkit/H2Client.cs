using System.Net;
using System.Net.Security;
using System.Net.WebSockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Gateway.TestKit;

/// <summary>HTTP clients over SocketsHttpHandler whose choices are explicit: no proxy from the environment, no redirects, no cookies.</summary>
public static class H2Client
{
    public static SocketsHttpHandler Handler(X509Certificate2? clientCertificate = null, string? serverName = null) => new()
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.None,
        EnableMultipleHttp2Connections = true,
        SslOptions = new SslClientAuthenticationOptions
        {
            TargetHost = serverName,
            RemoteCertificateValidationCallback = (_, _, _, _) => true,
            ClientCertificates = clientCertificate is null ? null : [clientCertificate],
        },
    };

    /// <summary>HTTP/1.1.</summary>
    public static HttpClient Http1(Uri? address = null, X509Certificate2? clientCertificate = null, string? serverName = null) =>
        Client(address, HttpVersion.Version11, Handler(clientCertificate, serverName));

    /// <summary>HTTP/2: prior knowledge on http addresses, ALPN on https ones.</summary>
    public static HttpClient Http2(Uri? address = null, X509Certificate2? clientCertificate = null, string? serverName = null) =>
        Client(address, HttpVersion.Version20, Handler(clientCertificate, serverName));

    /// <summary>A request of exactly that version: an HttpRequestMessage made by hand may otherwise be sent as HTTP/1.1.</summary>
    public static HttpRequestMessage Request(string version, HttpMethod method, string target, string? host = null, HttpContent? content = null) => new(method, target)
    {
        Version = Version.Parse(version),
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        Headers = { Host = host },
        Content = content,
    };

    private static HttpClient Client(Uri? address, Version version, SocketsHttpHandler handler) => new(handler)
    {
        BaseAddress = address,
        DefaultRequestVersion = version,
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        Timeout = TimeSpan.FromSeconds(60),
    };

    /// <summary>A WebSocket; with version 2.0 it is opened by extended CONNECT (RFC 8441).</summary>
    public static async Task<ClientWebSocket> OpenWebSocketAsync(Uri address, Version version, string? host = null, string? protocol = null, HttpMessageInvoker? invoker = null)
    {
        var socket = new ClientWebSocket();
        socket.Options.HttpVersion = version;
        socket.Options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        socket.Options.KeepAliveInterval = TimeSpan.Zero;
        if (protocol is not null) socket.Options.AddSubProtocol(protocol);
        if (host is not null) socket.Options.SetRequestHeader("Host", host);
        var uri = new UriBuilder(address) { Scheme = address.Scheme == "https" ? "wss" : "ws" };
        using var deadline = new CancellationTokenSource(Eventually.DefaultDeadline);
        await socket.ConnectAsync(uri.Uri, invoker ?? new HttpMessageInvoker(Handler()), deadline.Token);
        return socket;
    }

    /// <summary>Sends a text message and waits for the next one.</summary>
    public static async Task<string> ExchangeAsync(this WebSocket socket, string message)
    {
        using var deadline = new CancellationTokenSource(Eventually.DefaultDeadline);
        await socket.SendAsync(Encoding.UTF8.GetBytes(message), WebSocketMessageType.Text, true, deadline.Token);
        return await socket.ReceiveTextAsync();
    }

    public static async Task<string> ReceiveTextAsync(this WebSocket socket)
    {
        using var deadline = new CancellationTokenSource(Eventually.DefaultDeadline);
        var text = new MemoryStream();
        byte[] buffer = new byte[65536];
        while (true)
        {
            WebSocketReceiveResult got = await socket.ReceiveAsync(buffer, deadline.Token);
            if (got.MessageType == WebSocketMessageType.Close) throw new WebSocketException($"closed: {got.CloseStatus} {got.CloseStatusDescription}");
            text.Write(buffer, 0, got.Count);
            if (got.EndOfMessage) return Encoding.UTF8.GetString(text.ToArray());
        }
    }
}
