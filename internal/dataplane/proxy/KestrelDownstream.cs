using System.IO.Pipelines;
using System.Net;
using Gateway.DataPlane.Proxy.Direct;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Gateway.DataPlane.Proxy;

/// <summary>A client behind Kestrel, through its features. One per connection (HTTP/2: per stream slot), attached anew to each request.</summary>
internal sealed class KestrelDownstream : IDownstream
{
    // RFC 9113 section 7: what an intermediary says when the other side failed.
    private const int Http2InternalError = 0x2;

    private IFeatureCollection _features = null!;
    private IHttpRequestFeature _request = null!;
    private IHttpResponseFeature _response = null!;
    private IHttpResponseBodyFeature _body = null!;
    private IHttpRequestLifetimeFeature _lifetime = null!;
    private IHttpRequestBodyDetectionFeature _detection = null!;
    private ILoopFeature? _loop;

    /// <param name="features">Kestrel's, the same object for every request of a connection (HTTP/2: of a stream slot).</param>
    public void Attach(IFeatureCollection features)
    {
        if (!ReferenceEquals(features, _features)) AttachConnection(features);
        // A plain request upgrades to nothing.
        UpgradeProtocol = features is DirectConnection ? null : FindUpgrade();
    }

    // Kestrel's features of a request are one object, reset between requests; asking the collection for each every time costs a good
    // part of what Kestrel does for a request. What belongs to the connection does not change after its first request has come.
    private void AttachConnection(IFeatureCollection features)
    {
        _features = features;
        _request = features.Get<IHttpRequestFeature>()!;
        _response = features.Get<IHttpResponseFeature>()!;
        _body = features.Get<IHttpResponseBodyFeature>()!;
        _lifetime = features.Get<IHttpRequestLifetimeFeature>()!;
        _detection = features.Get<IHttpRequestBodyDetectionFeature>()!;
        HasTrailers = features.Get<IHttpResponseTrailersFeature>() is not null;
        _loop = features.Get<ILoopFeature>();
        Peer = features.Get<IHttpConnectionFeature>()?.RemoteIpAddress;
        Tls = features.Get<TlsConnectionInfo>();
    }

    /// <summary>Forgets the connection: the next features are of another one, though they be the same object.</summary>
    public void Detach()
    {
        _features = null!;
        _loop = null;
        Peer = null;
        Tls = null;
    }

    public string Protocol => _request.Protocol;
    public string Method => _request.Method;
    public string Scheme => _request.Scheme;
    public string RawTarget => _request.RawTarget;
    public IHeaderDictionary RequestHeaders => _request.Headers;
    public bool HasRequestBody => _detection.CanHaveBody;
    public PipeReader RequestBody => _features.Get<IRequestBodyPipeFeature>()!.Reader;
    public string? UpgradeProtocol { get; private set; }
    public CancellationToken Aborted => _lifetime.RequestAborted;
    public IPAddress? Peer { get; private set; }

    /// <summary>The event loop that the client's connection lives on; null on the sockets transport.</summary>
    public EventLoop? Loop => _loop?.Loop;

    /// <summary>Null without TLS.</summary>
    public TlsConnectionInfo? Tls { get; private set; }

    /// <summary>
    /// Tells the deadline when the client goes. True: the connection itself does so, for HTTP/1.1 on a loop; false: only
    /// <see cref="Aborted"/> does, which costs a registration, for a stream may be reset while its connection lives.
    /// </summary>
    public bool WatchDeparture(RequestDeadline deadline)
    {
        if (_loop is null || IsHttp2) return false;
        _loop.Watcher = deadline;
        if (_loop.IsPeerGone) deadline.OnPeerGone();
        return true;
    }

    /// <summary>The client has gone.</summary>
    public bool IsGone => _loop is not null && !IsHttp2 ? _loop.IsPeerGone : Aborted.IsCancellationRequested;

    public int StatusCode
    {
        get => _response.StatusCode;
        set => _response.StatusCode = value;
    }

    public IHeaderDictionary ResponseHeaders => _response.Headers;
    public bool ResponseStarted => _response.HasStarted;
    public PipeWriter ResponseBody => _body.Writer;
    /// <summary>The request's trailers, once its body has been read to the end; null when it has none, or they have not come.</summary>
    public IHeaderDictionary? RequestTrailers => _features.Get<IHttpRequestTrailersFeature>() is { Available: true } feature ? feature.Trailers : null;

    public bool HasTrailers { get; private set; }

    public void AddTrailer(string name, string value)
    {
        IHeaderDictionary trailers = _features.Get<IHttpResponseTrailersFeature>()!.Trailers;
        trailers.Append(name, value);
    }

    public ValueTask StartResponseAsync() => new(_body.StartAsync());

    public ValueTask<Stream> UpgradeAsync() => IsHttp2
        ? _features.Get<IHttpExtendedConnectFeature>()!.AcceptAsync()
        : new ValueTask<Stream>(_features.Get<IHttpUpgradeFeature>()!.UpgradeAsync());

    public void Abort(string reason)
    {
        if (_features.Get<IHttpResetFeature>() is { } stream) stream.Reset(Http2InternalError);
        else _lifetime.Abort();
    }

    /// <summary>Lifts the minimum rate from the request body. To be called before it is read.</summary>
    public void AllowQuietBody()
    {
        if (_features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate) rate.MinDataRate = null;
    }

    private bool IsHttp2 => _request.Protocol == "HTTP/2";

    private string? FindUpgrade()
    {
        if (IsHttp2) return _features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } connect ? connect.Protocol : null;
        string? token = _request.Headers.Upgrade;
        // A client that may speak HTTP/2 is not asked twice: h2c upgrades are answered in HTTP/1.1 (RFC 9113 section 3.1 dropped them).
        if (string.IsNullOrEmpty(token) || token.StartsWith("h2c", StringComparison.OrdinalIgnoreCase)) return null;
        return _features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true } ? token : null;
    }
}
