namespace Gateway.DataPlane.Runtime;

/// <summary>What an <see cref="ErrorCategory"/> means to a client. Proxy-Status error types are RFC 9209 section 2.3's; gRPC codes follow the gRPC HTTP mapping.</summary>
internal static class ErrorCategories
{
    internal readonly record struct Facts(string Label, int Status, string Title, int GrpcStatus, string ProxyStatusError);

    private static readonly Facts[] All =
    [
        new("", 200, "", 0, ""),
        new("bad_request", 400, "Bad Request", 13, "http_request_error"),
        new("unauthorized", 401, "Unauthorized", 16, "http_request_denied"),
        new("forbidden", 403, "Forbidden", 7, "http_request_denied"),
        new("mtls_required", 403, "Client Certificate Required", 7, "http_request_denied"),
        new("no_route", 404, "No Route", 12, "destination_not_found"),
        new("client_timeout", 408, "Request Timeout", 13, "http_request_error"),
        new("request_too_large", 413, "Content Too Large", 8, "http_request_error"),
        new("uri_too_long", 414, "URI Too Long", 13, "http_request_error"),
        new("headers_too_large", 431, "Request Header Fields Too Large", 13, "http_request_error"),
        new("internal", 500, "Internal Error", 13, "proxy_internal_error"),
        new("no_endpoint", 503, "No Endpoint", 14, "destination_unavailable"),
        new("circuit_open", 503, "Circuit Open", 14, "destination_unavailable"),
        new("overloaded", 503, "Overloaded", 14, "proxy_internal_response"),
        new("rate_limited", 429, "Too Many Requests", 14, "http_request_denied"),
        new("plugin_timeout", 503, "Plugin Timeout", 14, "proxy_internal_response"),
        new("plugin_unavailable", 503, "Plugin Unavailable", 14, "proxy_internal_response"),
        new("upstream_connect_failed", 502, "Upstream Connect Failed", 14, "connection_refused"),
        new("upstream_reset", 502, "Upstream Reset", 14, "connection_terminated"),
        new("upstream_protocol_error", 502, "Upstream Protocol Error", 13, "http_protocol_error"),
        new("upstream_timeout", 504, "Upstream Timeout", 4, "http_response_timeout"),
        new("request_timeout", 504, "Request Timeout", 4, "http_response_timeout"),
        new("client_closed", 499, "Client Closed Request", 1, "http_request_error"),
        new("tls_handshake_failed", 400, "TLS Handshake Failed", 13, "tls_protocol_error"),
    ];

    /// <summary>By the category's number; empty for none.</summary>
    public static string[] Labels { get; } = Array.ConvertAll(All, static facts => facts.Label);

    public static ref readonly Facts Of(ErrorCategory category) => ref All[(int)category];
}
