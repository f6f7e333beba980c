using System.Net.Security;

namespace Gateway.DataPlane.TlsStore;

/// <summary>Handshake options by name, for certificates as they were when it was built. Immutable.</summary>
internal sealed class SniTable
{
    private readonly LoadedCertificate[] _certificates;
    private readonly ClientAuthorities? _authorities;
    private readonly SslServerAuthenticationOptions _default;
    private readonly Dictionary<string, SslServerAuthenticationOptions> _exact = new(StringComparer.OrdinalIgnoreCase);

    // By what follows the star: ".example.com" for "*.example.com".
    private readonly Dictionary<string, SslServerAuthenticationOptions>.AlternateLookup<ReadOnlySpan<char>> _wildcard =
        new Dictionary<string, SslServerAuthenticationOptions>(StringComparer.OrdinalIgnoreCase).GetAlternateLookup<ReadOnlySpan<char>>();

    private SniTable(LoadedCertificate[] certificates, ClientAuthorities? authorities, Func<LoadedCertificate, ClientAuthorities?, SslServerAuthenticationOptions> make)
    {
        _certificates = certificates;
        _authorities = authorities;
        SslServerAuthenticationOptions? first = null;
        foreach (LoadedCertificate certificate in certificates)
        {
            SslServerAuthenticationOptions options = make(certificate, authorities);
            first ??= options;
            foreach (string name in certificate.Names)
            {
                // The first listed wins where two have a name.
                if (name.StartsWith("*.", StringComparison.Ordinal)) _wildcard.Dictionary.TryAdd(name[1..], options);
                else _exact.TryAdd(name, options);
            }
        }
        _default = first!;
    }

    public static SniTable Build(
        CertificateState[] certificates, ClientAuthorities? authorities, Func<LoadedCertificate, ClientAuthorities?, SslServerAuthenticationOptions> make) =>
        new(Array.ConvertAll(certificates, static state => state.Current), authorities, make);

    public bool IsOf(CertificateState[] certificates, ClientAuthorities? authorities)
    {
        if (!ReferenceEquals(authorities, _authorities)) return false;
        for (int i = 0; i < certificates.Length; i++)
        {
            if (!ReferenceEquals(certificates[i].Current, _certificates[i])) return false;
        }
        return true;
    }

    /// <summary>A wildcard stands for exactly one label (RFC 9525 section 6.3).</summary>
    public SslServerAuthenticationOptions Find(string serverName)
    {
        ReadOnlySpan<char> name = serverName.AsSpan().TrimEnd('.');
        if (name.IsEmpty) return _default;
        if (_exact.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out SslServerAuthenticationOptions? options)) return options;
        int dot = name.IndexOf('.');
        return dot > 0 && _wildcard.TryGetValue(name[dot..], out options) ? options : _default;
    }
}
