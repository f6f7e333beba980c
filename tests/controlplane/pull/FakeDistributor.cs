using System.Net;

namespace Gateway.ControlPlane.Tests.Pull;

/// <summary>A distributor without a network: answers as it is told and keeps what it was asked.</summary>
internal sealed class FakeDistributor : HttpMessageHandler
{
    private readonly List<(string? IfNoneMatch, string? Prefer, string? Authorization)> _asked = [];

    /// <summary>What is served; null answers 404.</summary>
    public byte[]? Bundle { get; set; }

    public string? ETag { get; set; }

    /// <summary>Says that it waits for news, and answers all the same at once.</summary>
    public bool Waits { get; set; }

    /// <summary>Takes the place of the answer; may throw.</summary>
    public Func<HttpResponseMessage>? Instead { get; set; }

    public IReadOnlyList<(string? IfNoneMatch, string? Prefer, string? Authorization)> Asked => _asked;

    /// <summary>Requests that were answered with a bundle.</summary>
    public int Downloads { get; private set; }

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        string? Field(string name) => request.Headers.TryGetValues(name, out IEnumerable<string>? values) ? string.Join(", ", values) : null;
        _asked.Add((Field("If-None-Match"), Field("Prefer"), Field("Authorization")));
        return Task.FromResult(Instead?.Invoke() ?? Answer(Field("If-None-Match")));
    }

    private HttpResponseMessage Answer(string? known)
    {
        if (Bundle is null) return new HttpResponseMessage(HttpStatusCode.NotFound);
        var response = new HttpResponseMessage(known is not null && known == ETag ? HttpStatusCode.NotModified : HttpStatusCode.OK);
        if (ETag is not null) _ = response.Headers.TryAddWithoutValidation("ETag", ETag);
        if (Waits) response.Headers.Add("Preference-Applied", "wait=30");
        if (response.StatusCode != HttpStatusCode.OK) return response;
        Downloads++;
        response.Content = new ByteArrayContent(Bundle);
        return response;
    }
}
