namespace Gateway.DataPlane.Runtime;

/// <summary>The TLS side of a client connection, for the log and the upstream's headers. A connection feature: <c>features.Get&lt;TlsConnectionInfo&gt;()</c>; absent without TLS.</summary>
/// <param name="Version">As in <c>TLSv1.3</c>.</param>
/// <param name="Cipher">The cipher suite's IANA name.</param>
/// <param name="ServerName">The SNI; empty when the client sent none.</param>
/// <param name="ClientSubject">The subject of the client's verified certificate; null without one.</param>
internal sealed record TlsConnectionInfo(string Version, string Cipher, string ServerName, string? ClientSubject);
