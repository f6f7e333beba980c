namespace Gateway.Config;

[Doc("One socket the gateway listens on.")]
public sealed record ListenerConfig
{
    [Doc("Unique name, by which routes and metrics refer to the listener.")]
    public required string Name { get; init; }

    [Doc("\"host:port\", \"[::]:port\" (IPv4 and IPv6), or \"unix:PATH\". Port 0 takes a free port.")]
    [Example("\"0.0.0.0:8080\"")]
    public required string Address { get; init; }

    [Doc("What is spoken on the listener.")]
    public ListenerProtocol Protocol { get; init; } = ListenerProtocol.Http;

    [Doc("Speak HTTP/2 too: by ALPN with TLS, by prior knowledge without.")]
    public bool Http2 { get; init; } = true;

    [Doc("The PROXY protocol (versions 1 and 2) before TLS and HTTP: whether connections begin with a header that names the client, whose address then counts for headers, limits and logs. With trustedProxies, only those may send it: from anyone else required closes the connection, and optional takes no header. Without, everyone's is believed (as by HAProxy, nginx and Envoy), so let only the balancer reach the port. It must arrive within limits.headerTimeout.")]
    public ProxyProtocolMode ProxyProtocol { get; init; }

    [Doc("Networks (CIDR) whose X-Forwarded-* and Forwarded headers are believed and appended to; everyone else's are replaced. With proxyProtocol also whose PROXY headers are believed; forwarding headers are then judged by the address that the PROXY header names.")]
    [Example("[\"10.0.0.0/8\"]")]
    public IReadOnlyList<string> TrustedProxies { get; init; } = [];

    [Doc("Terminate TLS on this listener.")]
    public ListenerTlsConfig? Tls { get; init; }

    [Doc("What a client may send and hold.")]
    public ListenerLimitsConfig Limits { get; init; } = new();

    [Doc("A document of higher priority may have another listener of this name.")]
    public bool Overridable { get; init; }
}

public enum ListenerProtocol
{
    [Doc("HTTP/1.1 and HTTP/2.")] Http,
}

public enum ProxyProtocolMode
{
    [Doc("No header is expected; one that comes is no HTTP.")] Off,
    [Doc("A connection may begin with a header, or without.")] Optional,
    [Doc("A connection without a header is closed.")] Required,
}

[Doc("TLS on a listener.")]
public sealed record ListenerTlsConfig
{
    [Doc("Names of certificates. The one whose names match the client's SNI is used, exact before wildcard; the first is the default.")]
    public required IReadOnlyList<string> Certificates { get; init; }

    [Doc("The lowest TLS version accepted.")]
    public TlsVersion MinVersion { get; init; } = TlsVersion.Tls12;

    [Doc("PEM file with the authorities that client certificates must chain to. Relative to the configuration file's folder.")]
    public string? ClientCa { get; init; }

    [Doc("Whether a client must show a certificate. Default: required when clientCa is set, none otherwise.")]
    public ClientCertificateMode? ClientCertificate { get; init; }
}

public enum TlsVersion
{
    [JsonName("1.2")][Doc("TLS 1.2 and 1.3.")] Tls12,
    [JsonName("1.3")][Doc("TLS 1.3 only.")] Tls13,
}

public enum ClientCertificateMode
{
    [Doc("None is asked for.")] None,
    [Doc("Asked for; a connection without one is served, one with a bad one is not.")] Optional,
    [Doc("A connection without a valid one is refused.")] Required,
}

[Doc("Limits of a listener. Each is answered with its own status code when a client goes beyond it.")]
public sealed record ListenerLimitsConfig
{
    [Doc("Open connections at most; 0 for no limit. A connection beyond it is closed at once.")]
    [Range("0", "10000000")]
    public int Connections { get; init; } = 10_000;

    [Doc("Open connections at most from one client address; 0 for no limit. An IPv6 client is known by its /64.")]
    [Range("0", "1000000")]
    public int ConnectionsPerAddress { get; init; }

    [Doc("New connections from one client address; one beyond it is closed at once. An IPv6 client is known by its /64. Absent: no limit.")]
    public RateConfig? ConnectionRatePerAddress { get; init; }

    [Doc("Requests from one client address, behind trusted proxies from the one they name; 429 rate_limited with Retry-After beyond. An IPv6 client is known by its /64. Absent: no limit.")]
    public RateConfig? RequestRatePerAddress { get; init; }

    [Doc("Length of the request target in bytes; 414 beyond (nginx, Kestrel: 8Ki).")]
    [Range("256", "64Ki")]
    public ByteSize UrlBytes { get; init; } = ByteSize.KiB(8);

    [Doc("Number of request header fields; 431 beyond (Kestrel, Envoy: 100).")]
    [Range("8", "1000")]
    public int HeaderCount { get; init; } = 100;

    [Doc("Size of all request header fields together in bytes; 431 beyond (Envoy: 60Ki).")]
    [Range("1Ki", "1Mi")]
    public ByteSize HeaderBytes { get; init; } = ByteSize.KiB(64);

    [Doc("Size of a request body in bytes, 0 for no limit; 413 beyond. A body of unknown length is counted while it streams. A route may set its own.")]
    public ByteSize BodyBytes { get; init; } = ByteSize.MiB(10);

    [Doc("Time to receive the request head, from its first byte; the connection is closed with 408 beyond.")]
    [Range("100ms", "10m")]
    public TimeSpan HeaderTimeout { get; init; } = TimeSpan.FromSeconds(5);

    [Doc("Time a keep-alive connection may idle between requests (Apache, Envoy differ: 5s, 1h; nginx: 75s).")]
    [Range("100ms", "24h")]
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(60);

    [Doc("Slowest accepted request body in bytes per second, after a grace of 5s; 0 for no limit (Kestrel: 240).")]
    public ByteSize MinBodyRate { get; init; } = new(240);
}

[Doc("How often something may happen: a token bucket. For each limit 65536 addresses are remembered; beyond that, those that have used least of theirs are forgotten first.")]
public sealed record RateConfig
{
    [Doc("How often a second in the long run.")]
    [Range("1", "1000000")]
    public required int PerSecond { get; init; }

    [Doc("How many may come at once after a rest. Default: as many as in a second.")]
    [Range("1", "1000000")]
    public int? Burst { get; init; }
}
