using System.Buffers;
using System.Globalization;
using System.Net;
using System.Text;
using Gateway.Config;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Health;

/// <summary>A GET over the pool's protocol and TLS; a status, and perhaps a text in the body, are expected.</summary>
internal sealed class HttpProbe : Probe
{
    private const int MaxBody = 64 * 1024;
    private static readonly UriCreationOptions AsWritten = new() { DangerousDisablePathAndQueryCanonicalization = true };

    private readonly ProbePlan _plan;
    private readonly HttpClientUpstream _upstream;
    private readonly Uri _target;
    private readonly byte[]? _expectedBody;

    public HttpProbe(ProbePlan plan, UpstreamSettings settings)
    {
        _plan = plan;
        _upstream = OwnConnections(settings);
        _target = new Uri(_upstream.Prefix + plan.Path, AsWritten);
        _expectedBody = plan.Body is null ? null : Encoding.UTF8.GetBytes(plan.Body);
    }

    public override string Name => $"GET {_plan.Path}";

    /// <summary>The endpoint's settings, but for the limit on connections: a probe must not wait for requests, nor they for it.</summary>
    public static HttpClientUpstream OwnConnections(UpstreamSettings settings) => new(settings with { MaxConnections = 0 });

    /// <summary>A request of the version that the pool speaks.</summary>
    public static HttpRequestMessage Request(HttpClientUpstream upstream, HttpMethod method, Uri target)
    {
        var request = new HttpRequestMessage(method, target);
        (request.Version, request.VersionPolicy) = upstream.Protocol switch
        {
            UpstreamProtocol.Http1 => (HttpVersion.Version11, HttpVersionPolicy.RequestVersionExact),
            UpstreamProtocol.Https => (HttpVersion.Version20, HttpVersionPolicy.RequestVersionOrLower),
            _ => (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact),
        };
        request.Headers.TryAddWithoutValidation("User-Agent", "gateway-health");
        return request;
    }

    public override async Task<ProbeResult> AskAsync(CancellationToken cancellationToken)
    {
        using HttpRequestMessage request = Request(_upstream, HttpMethod.Get, _target);
        if (_plan.Host is { } host) request.Headers.TryAddWithoutValidation("Host", host);
        using HttpResponseMessage response = await _upstream.SendAsync(request, cancellationToken);
        int status = (int)response.StatusCode;
        // Read in any case: a connection whose response was read to its end serves the next probe.
        bool hasText = await ReadAsync(response, cancellationToken);
        if (!_plan.Expected.Contains(status)) return ProbeResult.Bad("unexpected_status", string.Create(CultureInfo.InvariantCulture, $"{status}, expected {_plan.Expected}"));
        return hasText
            ? ProbeResult.Good(status.ToString(CultureInfo.InvariantCulture))
            : ProbeResult.Bad("unexpected_body", string.Create(CultureInfo.InvariantCulture, $"{status}, but the body does not contain \"{_plan.Body}\""));
    }

    public override void Dispose() => _upstream.Dispose();

    /// <summary>Whether the expected text is in the body, as far as it is looked at.</summary>
    private async Task<bool> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(MaxBody);
        try
        {
            await using Stream body = await response.Content.ReadAsStreamAsync(cancellationToken);
            int length = await body.ReadAtLeastAsync(buffer.AsMemory(0, MaxBody), MaxBody, throwOnEndOfStream: false, cancellationToken);
            return _expectedBody is null || buffer.AsSpan(0, length).IndexOf(_expectedBody) >= 0;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
