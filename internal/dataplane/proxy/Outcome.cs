using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Runtime;
using Microsoft.AspNetCore.Http;

namespace Gateway.DataPlane.Proxy;

/// <summary>Records how a request ended: once, at its end, from what its context has gathered.</summary>
internal static class Outcome
{
    public static void Record(Exchange exchange, ProxyServices services)
    {
        RequestContext request = exchange.Context;
        request.EndedAt = services.Time.GetTimestamp();
        RouteMetrics metrics = request.Route?.State.Metrics ?? services.Metrics.NoRoute;
        metrics.Record(request.Status, (int)request.Category, request.EndedAt - request.StartedAt);
        if (request.Category == ErrorCategory.RateLimited) services.RateLimited.Add(1, request.Route?.Name ?? "");
        if (request.Category == ErrorCategory.Overloaded) services.OverloadRejections.Add(1, request.Route?.Name ?? "");
        if (request.Canary is not null) CountVariant(request, request.EndedAt);
        services.Recorded.Record(request);
        if (services.AccessLog is { } log && log.Wants(request.Status)) log.Write(Entry(exchange));
    }

    /// <summary>Counts a request for its variant, once: at its end, or when it becomes a tunnel, which may last for hours.</summary>
    public static void CountVariant(RequestContext request, long now)
    {
        request.Canary?.Record(request, now);
        request.Canary = null;
    }

    private static AccessLogEntry Entry(Exchange exchange)
    {
        RequestContext request = exchange.Context;
        KestrelDownstream client = exchange.Downstream;
        IHeaderDictionary headers = client.RequestHeaders;
        TlsConnectionInfo? tls = client.Tls;
        return new AccessLogEntry
        {
            RequestId = request.RequestId,
            Method = client.Method,
            Scheme = client.Scheme,
            Host = request.Host,
            Target = request.RawPathAndQuery,
            PathLength = request.RawPathLength,
            Protocol = client.Protocol,
            Route = request.Route?.Name,
            Pool = request.Route?.Pool?.Name,
            Endpoint = request.Endpoint?.Address,
            Breaker = request.Breaker,
            Category = ErrorCategories.Of(request.Category).Label,
            Detail = request.Detail,
            Snapshot = request.SnapshotVersion,
            Variant = Variants.LabelOf(request.Variant),
            ClientIp = ClientAddress.Of(exchange),
            Listener = request.ListenerState.Name,
            UserAgent = headers.UserAgent.Count == 0 ? null : headers.UserAgent.ToString(),
            Referer = headers.Referer.Count == 0 ? null : headers.Referer.ToString(),
            TlsVersion = tls?.Version,
            TlsCipher = tls?.Cipher,
            Sni = tls?.ServerName,
            Status = request.Status,
            Attempts = request.Attempts,
            StartedAt = request.StartedAt,
            EndedAt = request.EndedAt,
            UpstreamStartedAt = request.UpstreamStartedAt,
            UpstreamHeadersAt = request.UpstreamHeadersAt,
            RequestBytes = request.RequestBytes,
            ResponseBytes = request.ResponseBytes,
        };
    }
}
