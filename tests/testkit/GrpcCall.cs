using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace Gateway.TestKit;

/// <summary>How a gRPC call ended.</summary>
/// <param name="Status">grpc-status; null when the server sent none.</param>
/// <param name="InHeaders">Trailers-only: the status came in the response headers.</param>
public sealed record GrpcEnd(int? Status, string? Message, bool InHeaders, HttpResponseHeaders Trailers);

/// <summary>One gRPC call of any of the four kinds over raw HTTP/2.</summary>
public sealed class GrpcCall : IAsyncDisposable
{
    private readonly StreamedContent _body = new();
    private readonly CancellationTokenSource _cancel = new();
    private readonly Task<HttpResponseMessage> _response;
    private Stream? _messages;

    private GrpcCall(HttpMessageInvoker client, HttpRequestMessage request)
    {
        request.Content = _body;
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        _response = client.SendAsync(request, _cancel.Token);
    }

    /// <summary>Starts a call; <paramref name="client"/> is one that does not buffer (an invoker, or an HttpClient wrapped in one).</summary>
    public static GrpcCall Start(HttpMessageInvoker client, Uri address, string method, string? host = null, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(address, method))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        if (host is not null) request.Headers.Host = host;
        foreach ((string name, string value) in headers) _ = request.Headers.TryAddWithoutValidation(name, value);
        return new GrpcCall(client, request);
    }

    /// <summary>A client for <see cref="Start"/>.</summary>
    public static HttpMessageInvoker Client() => new(H2Client.Handler());

    public Task WriteAsync(string message) => _body.WriteAsync(GrpcFrames.Frame(Encoding.UTF8.GetBytes(message)));

    /// <summary>No more messages from the client.</summary>
    public void CompleteRequests() => _body.Complete();

    public Task<HttpResponseMessage> ResponseAsync() => Eventually.Within("gRPC response headers", _response);

    /// <summary>The next message; null when the server sends no more.</summary>
    public async Task<string?> ReadAsync()
    {
        HttpResponseMessage response = await ResponseAsync();
        _messages ??= await response.Content.ReadAsStreamAsync();
        byte[]? message = await Eventually.Within("a gRPC message", GrpcFrames.ReadAsync(_messages, _cancel.Token));
        return message is null ? null : Encoding.UTF8.GetString(message);
    }

    /// <summary>Reads what is left and returns the status.</summary>
    public async Task<GrpcEnd> EndAsync()
    {
        while (await ReadAsync() is not null) { }
        HttpResponseMessage response = await ResponseAsync();
        return Status(response.TrailingHeaders, false) ?? Status(response.Headers, true) ?? new GrpcEnd(null, null, false, response.TrailingHeaders);
    }

    private static GrpcEnd? Status(HttpResponseHeaders fields, bool inHeaders) =>
        fields.TryGetValues("grpc-status", out IEnumerable<string>? values)
            ? new GrpcEnd(
                int.Parse(values.Single(), System.Globalization.CultureInfo.InvariantCulture),
                fields.TryGetValues("grpc-message", out IEnumerable<string>? messages) ? messages.Single() : null,
                inHeaders, fields)
            : null;

    /// <summary>RST_STREAM.</summary>
    public Task CancelAsync() => _cancel.CancelAsync();

    public async ValueTask DisposeAsync()
    {
        _body.Complete();
        await _cancel.CancelAsync();
        try { (await _response).Dispose(); }
        catch (HttpRequestException) { }
        catch (OperationCanceledException) { }
        _cancel.Dispose();
    }
}
