namespace Gateway.TestKit;

/// <summary>What a <see cref="FaultOrigin"/> speaks.</summary>
public enum OriginProtocol
{
    /// <summary>HTTP/1.1 in clear text: <c>http1</c> of a pool.</summary>
    Http1,

    /// <summary>HTTP/2 in clear text with prior knowledge: <c>h2c</c>.</summary>
    H2c,

    /// <summary>HTTP/2 over TLS by ALPN: <c>https</c>.</summary>
    Https,

    /// <summary>HTTP/1.1 over TLS, which ALPN leaves as the only one: <c>https</c> as well.</summary>
    Https1,
}
