namespace Gateway.DataPlane.Runtime;

/// <summary>
/// Everything that can go wrong with a request, as one value: status, title, gRPC status, Proxy-Status error type and whether an attempt
/// may be tried again all derive from it, in <see cref="ErrorCategories"/>. The names are metric labels and part of the contract.
/// </summary>
internal enum ErrorCategory : byte
{
    None,
    BadRequest,
    Unauthorized,
    Forbidden,
    MtlsRequired,
    NoRoute,
    RequestTimeoutClient,
    RequestTooLarge,
    UriTooLong,
    HeadersTooLarge,
    Internal,
    NoEndpoint,
    CircuitOpen,
    Overloaded,
    RateLimited,
    PluginTimeout,
    PluginUnavailable,
    UpstreamConnectFailed,
    UpstreamReset,
    UpstreamProtocolError,
    UpstreamTimeout,
    RequestTimeout,
    ClientClosed,

    /// <summary>Counted and logged only: there is nobody to answer.</summary>
    TlsHandshakeFailed,
}
