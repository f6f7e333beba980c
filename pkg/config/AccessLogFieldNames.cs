namespace Gateway.Config;

/// <summary>The names that <see cref="AccessLogConfig.Fields"/> may hold: every field of an access log line, in the order of a line that has them all.</summary>
public static class AccessLogFieldNames
{
    public static IReadOnlyList<string> All { get; } =
    [
        "time", "requestId", "method", "scheme", "host", "path", "query", "protocol", "status", "route", "pool", "endpoint", "attempts",
        "breaker", "category", "detail", "snapshot", "variant", "clientIp", "listener", "durationMs", "upstreamMs", "requestBytes", "responseBytes", "userAgent",
        "referer", "tlsVersion", "tlsCipher", "sni",
    ];
}
