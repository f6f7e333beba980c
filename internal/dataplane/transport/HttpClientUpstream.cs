using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Gateway.Config;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Transport;

/// <summary>An endpoint through <see cref="SocketsHttpHandler"/>, with everything in it turned off that is not a proxy's business.</summary>
internal sealed class HttpClientUpstream : Upstream
{
    private readonly UpstreamSettings _settings;
    private readonly HttpMessageInvoker _invoker;
    private static readonly List<SslApplicationProtocol> Http11 = [SslApplicationProtocol.Http11];
    private static readonly List<SslApplicationProtocol> Http2 = [SslApplicationProtocol.Http2];
    private static readonly List<SslApplicationProtocol> Http2OrHttp11 = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11];

    private readonly string? _unixPath;
    private readonly string _host;
    private int _connections;

    public HttpClientUpstream(UpstreamSettings settings)
    {
        _settings = settings;
        _unixPath = settings.Address.StartsWith("unix:", StringComparison.Ordinal) ? settings.Address[5..] : null;
        Authority = _unixPath is null ? settings.Address : "localhost";
        _host = new Uri("tcp://" + Authority).IdnHost;
        Prefix = (settings.Tls is null ? "http://" : "https://") + Authority;
        _invoker = new HttpMessageInvoker(CreateHandler(), disposeHandler: true);
    }

    /// <summary>Scheme and authority that a request's URI begins with; the raw target follows.</summary>
    public string Prefix { get; }

    /// <summary>What to name in Host when the client named nothing.</summary>
    public string Authority { get; }

    public UpstreamSettings Settings => _settings;

    public UpstreamProtocol Protocol => _settings.Protocol;

    /// <summary>Whether only HTTP/2 is spoken, so that an upgrade must become an extended CONNECT.</summary>
    public bool Http2Only => _settings.Protocol is UpstreamProtocol.H2c or UpstreamProtocol.Grpc;

    /// <summary>It has as many connections as it may, and more requests than those: with HTTP/1.1 some of them wait.</summary>
    public bool IsFull => _settings.MaxConnections != 0 && Connections >= _settings.MaxConnections && Load.InFlight > _settings.MaxConnections;

    public override int Connections => Volatile.Read(ref _connections);

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        _invoker.SendAsync(request, cancellationToken);

    public override void Dispose() => _invoker.Dispose();

    private SocketsHttpHandler CreateHandler()
    {
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = System.Net.DecompressionMethods.None,
            ActivityHeadersPropagator = null,
            EnableMultipleHttp2Connections = true,
            EnableMultipleHttp3Connections = false,
            ConnectTimeout = _settings.ConnectTimeout,
            MaxConnectionsPerServer = _settings.MaxConnections == 0 ? int.MaxValue : _settings.MaxConnections,
            PooledConnectionIdleTimeout = _settings.IdleTimeout,
            PooledConnectionLifetime = _settings.MaxLifetime == TimeSpan.Zero ? Timeout.InfiniteTimeSpan : _settings.MaxLifetime,
            RequestHeaderEncodingSelector = UpstreamMessage.EncodingOf,
            ResponseHeaderEncodingSelector = static (_, _) => Encoding.Latin1,
            // Kilobytes. Envoy accepts 60 from an upstream, nginx 4 to 8 by default.
            MaxResponseHeadersLength = 64,
            // A response that nobody wants is cut off, not read to its end: the upstream is to notice.
            MaxResponseDrainSize = 0,
            ResponseDrainTimeout = TimeSpan.Zero,
            // A dead peer of an HTTP/2 connection is otherwise noticed only by the requests that time out on it.
            KeepAlivePingDelay = TimeSpan.FromSeconds(30),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            // The default of 64 KB grows with the measured bandwidth; 1 MB saves the first second of a large download.
            InitialHttp2StreamWindowSize = 1 << 20,
            ConnectCallback = ConnectAsync,
        };
        return handler;
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        Socket socket = _unixPath is null
            ? new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }
            : new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            if (_unixPath is null) await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
            else await socket.ConnectAsync(new UnixDomainSocketEndPoint(_unixPath), cancellationToken);
            var connection = new CountedConnection(socket, this);
            return _settings.Tls is { } tls ? await SecureAsync(connection, tls, context.InitialRequestMessage, cancellationToken) : connection;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    // Done here and not left to the handler, which would ask for and verify the name in the client's Host field.
    private async ValueTask<Stream> SecureAsync(Stream connection, UpstreamTls tls, HttpRequestMessage first, CancellationToken cancellationToken)
    {
        var stream = new SslStream(connection, leaveInnerStreamOpen: false);
        try
        {
            SslClientAuthenticationOptions options = TlsOptions(tls);
            options.ApplicationProtocols = first.Version.Major < 2 ? Http11
                : first.VersionPolicy == HttpVersionPolicy.RequestVersionOrLower ? Http2OrHttp11
                : Http2;
            await stream.AuthenticateAsClientAsync(options, cancellationToken);
            return stream;
        }
        catch (Exception e)
        {
            await stream.DisposeAsync();
            // An endpoint that hangs up in the handshake has refused TLS as well.
            if (e is IOException) throw new AuthenticationException(e.Message, e);
            throw;
        }
    }

    private SslClientAuthenticationOptions TlsOptions(UpstreamTls tls)
    {
        var options = new SslClientAuthenticationOptions
        {
            TargetHost = tls.ServerName ?? _host,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            ClientCertificateContext = tls.Certificate,
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        };
        if (!tls.Verify) options.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
        else if (tls.Authorities is { } authorities)
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.AddRange(authorities);
            options.CertificateChainPolicy = policy;
        }
        return options;
    }

    /// <summary>Counts as open until it is closed.</summary>
    private sealed class CountedConnection : NetworkStream
    {
        private HttpClientUpstream? _owner;

        public CountedConnection(Socket socket, HttpClientUpstream owner)
            : base(socket, ownsSocket: true)
        {
            _owner = owner;
            Interlocked.Increment(ref owner._connections);
        }

        protected override void Dispose(bool disposing)
        {
            if (Interlocked.Exchange(ref _owner, null) is { } owner) Interlocked.Decrement(ref owner._connections);
            base.Dispose(disposing);
        }
    }
}
