using Gateway.Config;

namespace Gateway.Client;

/// <summary>The admin API answered with an error. Failures to reach it are <see cref="HttpRequestException"/>, as from any HTTP client.</summary>
public sealed class GatewayApiException(int status, string detail, IReadOnlyList<ConfigError> errors) : Exception(detail)
{
    /// <summary>HTTP status: 400 bad document, 401 or 403 not allowed, 404 no such version, 412 stale If-Match, 413 too large, 429 too many requests or too many failed logins.</summary>
    public int Status { get; } = status;

    /// <summary>Everything that is wrong in the document, or the one reason of the refusal; empty when the answer gave none.</summary>
    public IReadOnlyList<ConfigError> Errors { get; } = errors;
}
