using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Gateway.TestKit;

/// <summary>A certificate with its key, in memory and as PEM files.</summary>
public sealed record TestCertificate(X509Certificate2 Certificate, string CertFile, string KeyFile);

/// <summary>A certificate authority of a test's own that issues server and client certificates as PEM files into a folder.</summary>
public sealed class TestCertificates : IDisposable
{
    private readonly TempFolder? _own;
    private readonly string _folder;

    /// <param name="folder">Where the files go; null for a folder of its own that is deleted with this object.</param>
    /// <param name="caName">Common name of the authority and name of its file.</param>
    public TestCertificates(string? folder = null, string caName = "test-ca")
    {
        _folder = folder ?? (_own = new TempFolder()).Root;
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={caName}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        Ca = request.CreateSelfSigned(Now.AddDays(-1), Now.AddYears(1));
        CaFile = Path.Combine(_folder, $"{caName}.pem");
        File.WriteAllText(CaFile, Ca.ExportCertificatePem());
    }

    public X509Certificate2 Ca { get; }

    /// <summary>PEM file of the authority's certificate.</summary>
    public string CaFile { get; }

    private static DateTimeOffset Now => TimeProvider.System.GetUtcNow();

    /// <summary>A server certificate for DNS names (also wildcards) and IP addresses, in FILE.pem and FILE.key.</summary>
    public TestCertificate Server(string file, params string[] names) => Issue(file, names, "1.3.6.1.5.5.7.3.1", Now.AddDays(90));

    /// <summary>A server certificate with an end of its own.</summary>
    public TestCertificate Server(string file, DateTimeOffset notAfter, params string[] names) => Issue(file, names, "1.3.6.1.5.5.7.3.1", notAfter);

    /// <summary>A client certificate with that common name, in NAME.pem and NAME.key.</summary>
    public TestCertificate Client(string name) => Issue(name, [name], "1.3.6.1.5.5.7.3.2", Now.AddDays(90));

    private TestCertificate Issue(string file, string[] names, string usage, DateTimeOffset notAfter)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={names[0]}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], false));
        var alternatives = new SubjectAlternativeNameBuilder();
        foreach (string name in names)
        {
            if (IPAddress.TryParse(name, out IPAddress? address)) alternatives.AddIpAddress(address);
            else alternatives.AddDnsName(name);
        }
        request.CertificateExtensions.Add(alternatives.Build());
        DateTimeOffset notBefore = notAfter < Now ? notAfter.AddDays(-1) : Now.AddHours(-12);
        using X509Certificate2 bare = request.Create(Ca, notBefore, notAfter, RandomNumberGenerator.GetBytes(12));
        X509Certificate2 certificate = bare.CopyWithPrivateKey(key);
        string certFile = Path.Combine(_folder, $"{file}.pem"), keyFile = Path.Combine(_folder, $"{file}.key");
        File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(certFile, certificate.ExportCertificatePem());
        return new TestCertificate(certificate, certFile, keyFile);
    }

    public void Dispose()
    {
        Ca.Dispose();
        _own?.Dispose();
    }
}
