using System.Net.Security;

namespace Gateway.DataPlane.Runtime;

/// <summary>TLS of a listener in one snapshot. The implementation is the certificate store's; the server only asks at each handshake.</summary>
internal abstract class ListenerTls
{
    /// <summary>The options for a client that asks for this name (empty: none asked). Allocates nothing once a certificate is loaded.</summary>
    public abstract SslServerAuthenticationOptions OptionsFor(string serverName);
}
