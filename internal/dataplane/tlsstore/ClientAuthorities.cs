using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Gateway.Config;

namespace Gateway.DataPlane.TlsStore;

/// <summary>The authorities that client certificates must chain to, and nothing else: the system's are not trusted, nothing is fetched.</summary>
internal sealed class ClientAuthorities
{
    private readonly byte[] _hash;

    private ClientAuthorities(string path, X509Certificate2Collection certificates, byte[] hash)
    {
        Path = path;
        Certificates = certificates;
        _hash = hash;
        Policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        };
        Policy.CustomTrustStore.AddRange(certificates);
        // id-kp-clientAuth: a server's certificate of the same authority is not a client's.
        Policy.ApplicationPolicy.Add(new Oid("1.3.6.1.5.5.7.3.2"));
    }

    public string Path { get; }
    public X509Certificate2Collection Certificates { get; }
    public X509ChainPolicy Policy { get; }

    public bool IsFrom(byte[] bytes) => SHA256.HashData(bytes).AsSpan().SequenceEqual(_hash);

    public static bool TryLoad(string path, [NotNullWhen(true)] out ClientAuthorities? authorities, out string code, out string message)
    {
        authorities = null;
        code = ConfigErrorCodes.FileUnreadable;
        message = "";
        try
        {
            byte[] bytes = File.ReadAllBytes(path);
            code = ConfigErrorCodes.InvalidCertificate;
            X509Certificate2Collection certificates = [];
            certificates.ImportFromPem(Encoding.UTF8.GetString(bytes));
            if (certificates.Count == 0)
            {
                message = $"{path} has no PEM certificate; it must hold blocks that begin with -----BEGIN CERTIFICATE-----";
                return false;
            }
            authorities = new ClientAuthorities(path, certificates, SHA256.HashData(bytes));
            return true;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or CryptographicException)
        {
            message = $"{path} cannot be read: {failure.Message}";
            return false;
        }
    }
}
