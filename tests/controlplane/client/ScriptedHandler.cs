using System.Net;
using System.Text;

namespace Gateway.ControlPlane.Tests.Client;

/// <summary>Answers every request with the same bytes and keeps what it was asked.</summary>
internal sealed class ScriptedHandler(HttpStatusCode status, string body, string mediaType = "application/json", string? etag = null) : HttpMessageHandler
{
    public HttpRequestMessage Request { get; private set; } = null!;
    public string RequestBody { get; private set; } = "";
    public bool IsDisposed { get; private set; }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Request = request;
        if (request.Content is not null) RequestBody = await request.Content.ReadAsStringAsync(cancellationToken);
        var response = new HttpResponseMessage(status) { Content = new StringContent(body, Encoding.UTF8, mediaType), RequestMessage = request };
        if (etag is not null) response.Headers.TryAddWithoutValidation("ETag", etag);
        return response;
    }

    protected override void Dispose(bool disposing)
    {
        IsDisposed = true;
        base.Dispose(disposing);
    }
}
