using Gateway.DataPlane.Runtime;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace Gateway.DataPlane.Server;

/// <summary>Writes down, once per connection after the handshake, what requests on it may want to know of it.</summary>
internal static class TlsFacts
{
    public static ConnectionDelegate Middleware(ConnectionDelegate next) => connection =>
    {
        if (connection.Features.Get<ITlsHandshakeFeature>() is { } handshake)
        {
            connection.Features.Set(new TlsConnectionInfo(
                VersionText(handshake.Protocol),
                handshake.NegotiatedCipherSuite?.ToString() ?? "",
                handshake.HostName,
                connection.Features.Get<ITlsConnectionFeature>()?.ClientCertificate?.Subject));
        }
        return next(connection);
    };

    private static string VersionText(System.Security.Authentication.SslProtocols version) => version switch
    {
        System.Security.Authentication.SslProtocols.Tls13 => "TLSv1.3",
        System.Security.Authentication.SslProtocols.Tls12 => "TLSv1.2",
        _ => version.ToString(),
    };
}
