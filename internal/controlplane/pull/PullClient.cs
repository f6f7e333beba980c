using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Gateway.Bundle;

namespace Gateway.ControlPlane.Pull;

/// <summary>
/// Asks for the latest bundle, with the entity tag of the one that is known. No redirects: the token goes to the address that was given and
/// nowhere else. Failures are answers, not exceptions. One request at a time.
/// </summary>
internal sealed class PullClient : IDisposable
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    /// <summary>From the request to the answer's head, beyond what the server was asked to wait.</summary>
    private static readonly TimeSpan HeadTimeout = TimeSpan.FromSeconds(15);

    /// <summary>From the head to the last byte: 10 Mi over a line of 1.5 Mbit/s.</summary>
    private static readonly TimeSpan BodyTimeout = TimeSpan.FromSeconds(60);

    private readonly PullOptions _options;
    private readonly HttpClient _http;
    private readonly TimeProvider _time;

    public PullClient(PullOptions options, TimeProvider time)
        : this(options, time, Handler(options))
    {
    }

    /// <param name="handler">Disposed with the client.</param>
    internal PullClient(PullOptions options, TimeProvider time, HttpMessageHandler handler)
    {
        _options = options;
        _time = time;
        _http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
    }

    public void Dispose() => _http.Dispose();

    /// <param name="etag">Of the bundle that is known; null for none.</param>
    /// <param name="wait">How long the server may wait for another one.</param>
    /// <exception cref="OperationCanceledException">Only for <paramref name="cancellationToken"/>.</exception>
    public async Task<PullAnswer> FetchAsync(string? etag, TimeSpan wait, CancellationToken cancellationToken)
    {
        using CancellationTokenSource timeout = new(wait + HeadTimeout, _time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            using HttpRequestMessage request = new(HttpMethod.Get, _options.Url);
            if (etag is not null) _ = request.Headers.TryAddWithoutValidation("If-None-Match", etag);
            _ = request.Headers.TryAddWithoutValidation("Prefer", FormattableString.Invariant($"wait={(int)wait.TotalSeconds}"));
            if (_options.ReadToken() is { } token) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            using HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
            timeout.CancelAfter(BodyTimeout);
            return await AnswerAsync(response, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new PullAnswer { Failure = "timeout", Reason = $"{_options.Url.Authority} did not answer in time" };
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return new PullAnswer { Failure = "unreachable", Reason = Why(e) };
        }
    }

    private async Task<PullAnswer> AnswerAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        bool waits = response.Headers.TryGetValues("Preference-Applied", out IEnumerable<string>? applied) && applied.Any(static p => p.Contains("wait", StringComparison.OrdinalIgnoreCase));
        string? etag = response.Headers.TryGetValues("ETag", out IEnumerable<string>? tags) ? tags.First() : null;
        PullAnswer answer = new() { Waits = waits, ETag = etag, RetryAfter = RetryAfter(response.Headers.RetryAfter) };
        switch (response.StatusCode)
        {
            case HttpStatusCode.NotModified:
                return answer;
            case HttpStatusCode.OK:
                byte[]? bundle = await BodyAsync(response, cancellationToken);
                return bundle is null
                    ? answer with { Failure = "too_large", Reason = $"the answer has more than {BundleFile.MaxBytes} bytes, which no bundle has" }
                    : bundle.Length == 0 ? answer with { Failure = "http_error", Reason = "the answer is empty" } : answer with { Bundle = bundle };
            case HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden:
                return answer with { Failure = "unauthorized", Reason = $"{_options.Url.Authority} answered {(int)response.StatusCode}: give its token with --pull-token-file" };
            case HttpStatusCode.NotFound:
                return answer with { Failure = "not_found", Reason = $"{_options.Url} answered 404: no bundle is published there" };
            case >= HttpStatusCode.Ambiguous and < HttpStatusCode.BadRequest:
                return answer with { Failure = "http_error", Reason = $"{_options.Url} answered {(int)response.StatusCode}, and redirects are not followed: give the final address with --pull" };
            default:
                return answer with { Failure = "http_error", Reason = $"{_options.Url} answered {(int)response.StatusCode}" };
        }
    }

    /// <summary>Null when it is larger than a bundle may be; then not all of it was read.</summary>
    private static async Task<byte[]?> BodyAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (response.Content.Headers.ContentLength > BundleFile.MaxBytes) return null;
        await using Stream body = await response.Content.ReadAsStreamAsync(cancellationToken);
        using MemoryStream content = new();
        byte[] buffer = new byte[32 << 10];
        for (int read; (read = await body.ReadAsync(buffer, cancellationToken)) > 0;)
        {
            if (content.Length + read > BundleFile.MaxBytes) return null;
            content.Write(buffer, 0, read);
        }
        return content.ToArray();
    }

    private TimeSpan? RetryAfter(RetryConditionHeaderValue? value) => value?.Delta ?? (value?.Date is { } date ? date - _time.GetUtcNow() : null);

    private static string Why(Exception e) => e switch
    {
        HttpRequestException { InnerException: SocketException socket } => socket.Message,
        HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } => e.GetBaseException().Message,
        _ => e.Message,
    };

    private static SocketsHttpHandler Handler(PullOptions options)
    {
        SocketsHttpHandler handler = new()
        {
            UseProxy = options.Proxy is not null,
            Proxy = options.Proxy is null ? null : new WebProxy(options.Proxy),
            AllowAutoRedirect = false,
            UseCookies = false,
            ConnectTimeout = ConnectTimeout,
            AutomaticDecompression = DecompressionMethods.None,
        };
        if (options.Authorities is { } authorities)
        {
            handler.SslOptions = new SslClientAuthenticationOptions
            {
                CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck },
            };
            handler.SslOptions.CertificateChainPolicy.CustomTrustStore.AddRange(authorities);
        }
        return handler;
    }
}
