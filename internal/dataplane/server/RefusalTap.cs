using System.Security.Authentication;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Runtime;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Server;

/// <summary>
/// Counts what Kestrel refuses before the application sees a request: malformed heads, heads that come too slowly, gross excess over the
/// limits, TLS handshakes that fail. Kestrel tells of these only in its log, so its loggers pass through here.
/// </summary>
/// <remarks>
/// Such a response is a bare status with Connection: close. Kestrel offers no place to give it a body: the features of the request are
/// not there yet, and the connection may no longer be in step with the client.
/// </remarks>
internal sealed class RefusalTap(ILoggerFactory inner, RouteMetrics noRoute, ILogger logger) : ILoggerFactory
{
    private const string BadRequests = "Microsoft.AspNetCore.Server.Kestrel.BadRequests";
    private const string Handshakes = "Microsoft.AspNetCore.Server.Kestrel.Https.Internal.HttpsConnectionMiddleware";
    private const string Http2 = "Microsoft.AspNetCore.Server.Kestrel.Http2";

    /// <summary>ConnectionBadRequest in Kestrel's log; the names are checked by a test, as they are nobody's promise.</summary>
    private const string BadRequest = "ConnectionBadRequest";
    private const string HandshakeFailed = "AuthenticationFailed", HandshakeTimedOut = "AuthenticationTimedOut";
    private const string Http2ConnectionError = "Http2ConnectionError";

    public ILogger CreateLogger(string categoryName) => categoryName is BadRequests or Handshakes or Http2
        ? new Tap(inner.CreateLogger(categoryName), this)
        : inner.CreateLogger(categoryName);

    public void AddProvider(ILoggerProvider provider) => inner.AddProvider(provider);

    // The inner factory is the process's, not ours.
    public void Dispose()
    {
    }

    private void Count(string? name, Exception? failure)
    {
        (ErrorCategory category, int status) = name switch
        {
            BadRequest => Of((failure as BadHttpRequestException)?.StatusCode ?? StatusCodes.Status400BadRequest),
            HandshakeFailed or HandshakeTimedOut => (ErrorCategory.TlsHandshakeFailed, StatusCodes.Status400BadRequest),
            Http2ConnectionError => (ErrorCategory.BadRequest, StatusCodes.Status400BadRequest),
            _ => (ErrorCategory.None, 0),
        };
        if (category == ErrorCategory.None) return;
        noRoute.Record(status, (int)category, 0);
        ServerLog.Refused(logger, ErrorCategories.Of(category).Label, (failure as AuthenticationException)?.InnerException?.Message ?? failure?.Message ?? name!);
    }

    private static (ErrorCategory Category, int Status) Of(int status) => status switch
    {
        StatusCodes.Status408RequestTimeout => (ErrorCategory.RequestTimeoutClient, status),
        StatusCodes.Status413PayloadTooLarge => (ErrorCategory.RequestTooLarge, status),
        StatusCodes.Status414UriTooLong => (ErrorCategory.UriTooLong, status),
        StatusCodes.Status431RequestHeaderFieldsTooLarge => (ErrorCategory.HeadersTooLarge, status),
        _ => (ErrorCategory.BadRequest, status),
    };

    private sealed class Tap(ILogger inner, RefusalTap owner) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => inner.BeginScope(state);

        // Kestrel logs all of these at Debug, and asks first.
        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Debug;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            owner.Count(eventId.Name, exception);
            if (inner.IsEnabled(logLevel)) inner.Log(logLevel, eventId, state, exception, formatter);
        }
    }
}
