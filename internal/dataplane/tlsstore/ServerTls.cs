using System.Net.Security;
using System.Security.Authentication;
using Gateway.Config;
using Gateway.DataPlane.Runtime;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.TlsStore;

/// <summary>
/// TLS of a listener: the certificate by SNI (exact, then wildcard, then the first listed), the lowest version, client certificates.
/// Follows its certificates' and authorities' files, so a handshake always meets the newest good ones.
/// </summary>
/// <remarks>
/// A request whose Host is not the SNI is served: HTTP/2 clients share a connection between names of one certificate (RFC 9113 section
/// 9.1.1). 421 would be for names that differ in what a client must prove; here that is the listener's, the same for all of its names.
/// </remarks>
internal sealed class ServerTls(CertificateState[] certificates, TlsVersion minVersion, ClientCertificateMode mode, ClientAuthorities? authorities, bool http2)
    : ListenerTls
{
    private readonly SslProtocols _protocols = minVersion == TlsVersion.Tls13 ? SslProtocols.Tls13 : SslProtocols.Tls12 | SslProtocols.Tls13;
    private readonly List<SslApplicationProtocol> _alpn = http2 ? [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11] : [SslApplicationProtocol.Http11];
    private ClientAuthorities? _authorities = authorities;
    private SniTable? _table;
    private byte[]? _refusedHash;

    /// <summary>At least one; the first is the default.</summary>
    public CertificateState[] Certificates { get; } = certificates;

    public override SslServerAuthenticationOptions OptionsFor(string serverName)
    {
        SniTable? table = Volatile.Read(ref _table);
        ClientAuthorities? trusted = Volatile.Read(ref _authorities);
        // Two handshakes may both build the table after a swap: the same one, so the last write is as good as the first.
        if (table is null || !table.IsOf(Certificates, trusted)) Volatile.Write(ref _table, table = SniTable.Build(Certificates, trusted, Make));
        return table.Find(serverName);
    }

    /// <summary>Takes a new authorities file over; a broken one is reported once and the old one stays.</summary>
    public void RefreshAuthorities(ILogger logger, Action onRefused)
    {
        if (_authorities is not { } current) return;
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(current.Path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            bytes = [];
        }
        if (current.IsFrom(bytes))
        {
            _refusedHash = null;
            return;
        }
        byte[] hash = System.Security.Cryptography.SHA256.HashData(bytes);
        if (_refusedHash is not null && _refusedHash.AsSpan().SequenceEqual(hash)) return;
        if (ClientAuthorities.TryLoad(current.Path, out ClientAuthorities? next, out _, out string message))
        {
            Volatile.Write(ref _authorities, next);
            _refusedHash = null;
            TlsLog.AuthoritiesSwapped(logger, current.Path, next.Certificates.Count);
            return;
        }
        _refusedHash = hash;
        TlsLog.AuthoritiesRefused(logger, current.Path, message);
        onRefused();
    }

    private SslServerAuthenticationOptions Make(LoadedCertificate certificate, ClientAuthorities? trusted)
    {
        bool asks = mode != ClientCertificateMode.None;
        return new SslServerAuthenticationOptions
        {
            ServerCertificateContext = certificate.Context,
            EnabledSslProtocols = _protocols,
            ApplicationProtocols = _alpn,
            ClientCertificateRequired = asks,
            CertificateChainPolicy = asks ? trusted?.Policy : null,
            CertificateRevocationCheckMode = System.Security.Cryptography.X509Certificates.X509RevocationMode.NoCheck,
            RemoteCertificateValidationCallback = mode switch
            {
                ClientCertificateMode.Optional => static (_, shown, _, errors) => shown is null || errors == SslPolicyErrors.None,
                ClientCertificateMode.Required => static (_, shown, _, errors) => shown is not null && errors == SslPolicyErrors.None,
                _ => null,
            },
            // A resumed session brings the leaf without its intermediates, and skips nothing that we want skipped.
            AllowTlsResume = !asks,
            AllowRenegotiation = false,
        };
    }
}
