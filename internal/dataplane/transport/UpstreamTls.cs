using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Gateway.Config;

namespace Gateway.DataPlane.Transport;

/// <summary>TLS towards an endpoint. Equal when the names, the switches and the contents of the files are equal.</summary>
internal sealed class UpstreamTls : IEquatable<UpstreamTls>
{
    /// <summary>Verified against the system's authorities, no client certificate.</summary>
    public static readonly UpstreamTls Default = new(null, true, null, null, "");

    private readonly string _contents;

    private UpstreamTls(string? serverName, bool verify, X509Certificate2Collection? authorities, SslStreamCertificateContext? certificate, string contents)
    {
        ServerName = serverName;
        Verify = verify;
        Authorities = authorities;
        Certificate = certificate;
        _contents = contents;
    }

    /// <summary>The same with a name to send and verify.</summary>
    public UpstreamTls For(string serverName) => new(serverName, Verify, Authorities, Certificate, _contents);

    /// <summary>Sent as SNI and verified; null for the endpoint's host.</summary>
    public string? ServerName { get; }
    public bool Verify { get; }

    /// <summary>What to trust in place of the system's authorities; null for the system's.</summary>
    public X509Certificate2Collection? Authorities { get; }

    /// <summary>The client certificate to show, with its intermediates; null for none.</summary>
    public SslStreamCertificateContext? Certificate { get; }

    /// <summary>Reads the files of a pool's TLS section. Null when one of them is no good; then the reason is in <paramref name="errors"/>.</summary>
    /// <param name="path">The section's place in the document, for the errors.</param>
    public static UpstreamTls? Load(UpstreamTlsConfig config, string baseDirectory, string path, ICollection<ConfigError> errors)
    {
        int before = errors.Count;
        string contents = "";
        X509Certificate2Collection? authorities = null;
        SslStreamCertificateContext? certificate = null;
        if (config.Ca is { } ca && ReadFile(baseDirectory, ca, path + ".ca", errors) is { } caPem)
        {
            authorities = [];
            try
            {
                authorities.ImportFromPem(caPem);
            }
            catch (CryptographicException e)
            {
                errors.Add(new ConfigError(path + ".ca", ConfigErrorCodes.InvalidCertificate, $"{ca} cannot be read as PEM: {e.Message}"));
            }
            if (authorities.Count == 0 && errors.Count == before)
                errors.Add(new ConfigError(path + ".ca", ConfigErrorCodes.InvalidCertificate, $"{ca} has no certificate; it must hold PEM blocks that begin with -----BEGIN CERTIFICATE-----"));
            contents += Hash(caPem);
        }
        if ((config.CertFile is null) != (config.KeyFile is null))
            errors.Add(new ConfigError(path, ConfigErrorCodes.Conflict, "certFile and keyFile belong together; give both, or neither"));
        else if (config.CertFile is { } certFile && config.KeyFile is { } keyFile &&
                 ReadFile(baseDirectory, certFile, path + ".certFile", errors) is { } certPem &&
                 ReadFile(baseDirectory, keyFile, path + ".keyFile", errors) is { } keyPem)
        {
            try
            {
                X509Certificate2Collection chain = [];
                chain.ImportFromPem(certPem);
                certificate = SslStreamCertificateContext.Create(X509Certificate2.CreateFromPem(certPem, keyPem), chain, offline: true);
            }
            catch (Exception e) when (e is CryptographicException or ArgumentException)
            {
                errors.Add(new ConfigError(path + ".certFile", ConfigErrorCodes.InvalidCertificate, $"{certFile} and {keyFile} are no certificate with its key: {e.Message}"));
            }
            contents += "|" + Hash(certPem) + Hash(keyPem);
        }
        return errors.Count == before ? new UpstreamTls(config.ServerName, config.Verify, authorities, certificate, contents) : null;
    }

    public bool Equals(UpstreamTls? other) =>
        other is not null && ServerName == other.ServerName && Verify == other.Verify && _contents == other._contents;

    public override bool Equals(object? obj) => Equals(obj as UpstreamTls);

    public override int GetHashCode() => HashCode.Combine(ServerName, Verify, _contents);

    private static string Hash(string text) => Convert.ToHexString(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(text)));

    private static string? ReadFile(string baseDirectory, string file, string path, ICollection<ConfigError> errors)
    {
        try
        {
            return File.ReadAllText(Path.Combine(baseDirectory, file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            errors.Add(new ConfigError(path, ConfigErrorCodes.FileUnreadable, $"{file} cannot be read: {e.Message}"));
            return null;
        }
    }
}
