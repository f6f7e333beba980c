using System.Net;
using System.Net.Http;
using System.Security.Authentication;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Proxy;

/// <summary>What an exception of <see cref="SocketsHttpHandler"/> says about the upstream.</summary>
internal static class UpstreamErrors
{
    // RFC 9113 section 7.
    private const long ProtocolError = 0x1, FlowControlError = 0x3, FrameSizeError = 0x6, CompressionError = 0x9;

    public static (ErrorCategory Category, string Detail) Classify(Exception error)
    {
        for (Exception? e = error; e is not null; e = e.InnerException)
        {
            if (e is HttpProtocolException http2)
            {
                return http2.ErrorCode is ProtocolError or FlowControlError or FrameSizeError or CompressionError
                    ? Protocol("The upstream broke the rules of HTTP/2.")
                    : (ErrorCategory.UpstreamReset, "The upstream reset the stream.");
            }
            // Within an OperationCanceledException: the handler's ConnectTimeout. Other timeouts are the exchange's own.
            if (e is TimeoutException) return (ErrorCategory.UpstreamConnectFailed, "The upstream could not be connected to in time.");
            // From the transport's own handshake, which the handler does not classify.
            if (e is AuthenticationException) return (ErrorCategory.UpstreamConnectFailed, "TLS with the upstream could not be set up.");
        }
        HttpRequestError kind = error switch
        {
            HttpRequestException request => request.HttpRequestError,
            HttpIOException io => io.HttpRequestError,
            _ => HttpRequestError.Unknown,
        };
        return kind switch
        {
            HttpRequestError.NameResolutionError => (ErrorCategory.UpstreamConnectFailed, "The upstream's name could not be resolved."),
            HttpRequestError.ConnectionError => (ErrorCategory.UpstreamConnectFailed, "The upstream could not be connected to."),
            HttpRequestError.SecureConnectionError => (ErrorCategory.UpstreamConnectFailed, "TLS with the upstream could not be set up."),
            HttpRequestError.InvalidResponse => Protocol("The upstream's response is malformed."),
            HttpRequestError.ConfigurationLimitExceeded => Protocol("The upstream's response headers are too large."),
            HttpRequestError.VersionNegotiationError => Protocol("The upstream does not speak the configured protocol."),
            HttpRequestError.ExtendedConnectNotSupported => Protocol("The upstream does not take upgrades over HTTP/2."),
            HttpRequestError.HttpProtocolError => Protocol("The upstream broke the protocol."),
            _ => (ErrorCategory.UpstreamReset, "The upstream closed the connection."),
        };
    }

    private static (ErrorCategory, string) Protocol(string detail) => (ErrorCategory.UpstreamProtocolError, detail);
}
