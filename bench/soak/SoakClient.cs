using System.Globalization;
using System.Net;
using System.Net.WebSockets;
using System.Text;
using Gateway.TestKit;

namespace Gateway.Bench.Soak;

/// <summary>A client that acts again and again, and says in a word what came of it.</summary>
internal abstract class SoakClient : IAsyncDisposable
{
    public abstract Task<string> ActAsync();

    public virtual ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>One HTTP/1.1 request after another over one connection for as long as the server keeps it, at most some hundreds: then another connection.</summary>
/// <param name="bodyBytes">How long a body of status 200 must be; null for any length.</param>
/// <param name="bodyStart">How it must begin.</param>
/// <param name="web">With TLS when it says https.</param>
/// <param name="request">The bytes of each request.</param>
internal sealed class KeepAliveClient(Uri web, string request, int? bodyBytes, string bodyStart = "") : SoakClient
{
    private const int Requests = 500;

    private readonly byte[] _bodyStart = Encoding.ASCII.GetBytes(bodyStart);

    private RawHttpClient? _client;
    private int _sent;

    public override async Task<string> ActAsync()
    {
        _client ??= web.Scheme == Uri.UriSchemeHttps ? await RawHttpClient.ConnectTlsAsync(web, SoakSite.ServerName) : await RawHttpClient.ConnectAsync(web);
        bool goesOn = false;
        try
        {
            RawResponse response = await _client.RequestAsync(request);
            goesOn = response.IsWhole && response["connection"] != "close" && ++_sent % Requests != 0;
            string status = response.Status.ToString(CultureInfo.InvariantCulture);
            if (!response.IsWhole) return status + " cut";
            if (response.Status != 200) return status;
            return (bodyBytes is not { } length || response.Body.Length == length) && response.Body.AsSpan().StartsWith(_bodyStart) ? status : $"200 with {response.Body.Length} wrong bytes";
        }
        catch (IOException)
        {
            return "reset";
        }
        finally
        {
            if (!goesOn) await DisposeAsync();
        }
    }

    public override async ValueTask DisposeAsync()
    {
        if (_client is not null) await _client.DisposeAsync();
        _client = null;
    }
}

/// <summary>Downloads over a connection of HTTP/2.</summary>
internal sealed class Http2Client(Uri web, int bytes) : SoakClient
{
    private readonly HttpClient _http = H2Client.Http2(web, serverName: SoakSite.ServerName);

    public override async Task<string> ActAsync()
    {
        using HttpRequestMessage request = H2Client.Request("2.0", HttpMethod.Get, $"/bytes/{bytes}", "good.test");
        using HttpResponseMessage response = await _http.SendAsync(request);
        int got = (await response.Content.ReadAsByteArrayAsync()).Length;
        return response.StatusCode == HttpStatusCode.OK && got != bytes ? $"200 with {got} bytes" : $"{(int)response.StatusCode}";
    }

    public override ValueTask DisposeAsync()
    {
        _http.Dispose();
        return ValueTask.CompletedTask;
    }
}

/// <summary>Uploads over a connection of HTTP/2.</summary>
internal sealed class Http2UploadClient(Uri web, int bytes) : SoakClient
{
    private readonly HttpClient _http = H2Client.Http2(web);
    private readonly byte[] _body = new byte[bytes];

    public override async Task<string> ActAsync()
    {
        using HttpRequestMessage request = H2Client.Request("2.0", HttpMethod.Post, "/sink?nohash=1", "good.test", new ByteArrayContent(_body));
        using HttpResponseMessage response = await _http.SendAsync(request);
        string text = await response.Content.ReadAsStringAsync();
        return response.StatusCode == HttpStatusCode.OK && !text.StartsWith($"{bytes} ", StringComparison.Ordinal) ? $"200 '{text}'" : $"{(int)response.StatusCode}";
    }

    public override ValueTask DisposeAsync()
    {
        _http.Dispose();
        return ValueTask.CompletedTask;
    }
}

/// <summary>Messages through a WebSocket, and another WebSocket after some hundreds of them.</summary>
internal sealed class TunnelClient(Uri web, Version version) : SoakClient
{
    private const int Messages = 300;

    private readonly HttpMessageInvoker _invoker = new(H2Client.Handler());
    private ClientWebSocket? _socket;
    private int _sent;

    public override async Task<string> ActAsync()
    {
        _socket ??= await H2Client.OpenWebSocketAsync(new Uri(web, "/ws"), version, "good.test", invoker: _invoker);
        string text = $"message {++_sent}";
        string echoed = await _socket.ExchangeAsync(text);
        if (_sent % Messages == 0) await CloseAsync();
        return echoed == text ? "200" : $"'{echoed}' for '{text}'";
    }

    private async Task CloseAsync()
    {
        using ClientWebSocket socket = _socket!;
        _socket = null;
        using var deadline = new CancellationTokenSource(Eventually.DefaultDeadline);
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, deadline.Token);
    }

    public override ValueTask DisposeAsync()
    {
        _socket?.Dispose();
        _invoker.Dispose();
        return ValueTask.CompletedTask;
    }
}
