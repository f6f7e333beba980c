using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Gateway.DataPlane.TlsStore;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.TlsStore;

public sealed class CertificateFileTests
{
    private static readonly PbeParameters Pbe = new(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 10_000);

    private readonly TempFolder _folder = new();

    private bool TryLoad(out LoadedCertificate? loaded, out CertificateFiles.Failure failure, string? password = null) =>
        CertificateFiles.TryLoad(new CertificateKey(_folder["c.pem"], _folder["c.key"], password), TimeProvider.System.GetUtcNow(), out loaded, out failure);

    [Theory]
    [InlineData("pkcs8")]
    [InlineData("sec1")]
    [InlineData("encrypted")]
    [InlineData("rsa-pkcs1")]
    [InlineData("rsa-pkcs8")]
    public void KeyFormats_AreAllRead(string format)
    {
        using ECDsa ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using RSA rsa = RSA.Create(2048);
        AsymmetricAlgorithm key = format.StartsWith("rsa", StringComparison.Ordinal) ? rsa : ec;
        WriteCertificate(key);
        _folder.Write("c.key", format switch
        {
            "sec1" => ec.ExportECPrivateKeyPem(),
            "encrypted" => ec.ExportEncryptedPkcs8PrivateKeyPem("secret", Pbe),
            "rsa-pkcs1" => rsa.ExportRSAPrivateKeyPem(),
            _ => key.ExportPkcs8PrivateKeyPem(),
        });
        Assert.True(TryLoad(out LoadedCertificate? loaded, out CertificateFiles.Failure failure, "secret"), failure.Message);
        Assert.Equal(["a.test", "*.b.test"], loaded!.Names);
    }

    [Theory]
    [InlineData("missing certificate", false, "file_unreadable", "does not exist")]
    [InlineData("missing key", true, "file_unreadable", "does not exist")]
    [InlineData("other key", true, "invalid_certificate", "it is not the key of the first certificate")]
    [InlineData("no certificate", false, "invalid_certificate", "has no PEM certificate")]
    [InlineData("no key", true, "invalid_certificate", "has no private key")]
    [InlineData("encrypted without password", true, "invalid_certificate", "give keyPassword")]
    [InlineData("encrypted, wrong password", true, "invalid_certificate", "keyPassword")]
    [InlineData("old encryption", true, "invalid_certificate", "openssl pkcs8 -topk8")]
    [InlineData("garbage", false, "invalid_certificate", "cannot be read")]
    public void WhatIsWrong_IsSaidOfTheRightFile(string wrong, bool inKeyFile, string code, string text)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256), other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        WriteCertificate(key);
        _folder.Write("c.key", wrong switch
        {
            "other key" => other.ExportPkcs8PrivateKeyPem(),
            "no key" => key.ExportSubjectPublicKeyInfoPem(),
            "encrypted without password" or "encrypted, wrong password" => key.ExportEncryptedPkcs8PrivateKeyPem("secret", Pbe),
            "old encryption" => "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n-----END RSA PRIVATE KEY-----\n",
            _ => key.ExportPkcs8PrivateKeyPem(),
        });
        if (wrong == "missing certificate") File.Delete(_folder["c.pem"]);
        if (wrong == "missing key") File.Delete(_folder["c.key"]);
        if (wrong == "no certificate") _folder.Write("c.pem", "hello");
        if (wrong == "garbage") _folder.Write("c.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");

        Assert.False(TryLoad(out _, out CertificateFiles.Failure failure, wrong == "encrypted, wrong password" ? "guess" : null));
        Assert.Equal((inKeyFile, code), (failure.InKeyFile, failure.Code));
        Assert.Contains(text, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Intermediates_AreSentWithTheLeaf()
    {
        using TestCertificates root = new(_folder.Root);
        using ECDsa middleKey = ECDsa.Create(ECCurve.NamedCurves.nistP256), leafKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        CertificateRequest middleRequest = new("CN=middle", middleKey, HashAlgorithmName.SHA256);
        middleRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using X509Certificate2 middle = middleRequest.Create(root.Ca, now.AddHours(-1), now.AddDays(30), [1]);
        using X509Certificate2 issuer = middle.CopyWithPrivateKey(middleKey);
        using X509Certificate2 leaf = new CertificateRequest("CN=leaf", leafKey, HashAlgorithmName.SHA256).Create(issuer, now.AddHours(-1), now.AddDays(20), [2]);
        _folder.Write("c.pem", leaf.ExportCertificatePem() + "\n" + middle.ExportCertificatePem());
        _folder.Write("c.key", leafKey.ExportPkcs8PrivateKeyPem());
        Assert.True(TryLoad(out LoadedCertificate? loaded, out CertificateFiles.Failure failure), failure.Message);
        Assert.Equal("CN=middle", Assert.Single(loaded!.Context.IntermediateCertificates).Subject);
        // Without alternative names the common name counts.
        Assert.Equal(["leaf"], loaded.Names);
        Assert.Single(loaded.WithNewTicketKeys([.. loaded.Context.IntermediateCertificates], now).Context.IntermediateCertificates);
    }

    [Fact]
    public void TicketKeys_AreRenewedTwiceADay_WithTheSameCertificate()
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        WriteCertificate(key);
        _folder.Write("c.key", key.ExportPkcs8PrivateKeyPem());
        Assert.True(TryLoad(out LoadedCertificate? loaded, out _));
        CertificateState state = new("c", new CertificateKey(_folder["c.pem"], _folder["c.key"], null), loaded!);
        bool Refresh(double hours) => state.Refresh(loaded!.LoadedAt.AddHours(hours), Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance, () => { });
        Assert.False(Refresh(11.9));
        Assert.Same(loaded, state.Current);
        Assert.False(Refresh(12.1));
        Assert.NotSame(loaded!.Context, state.Current.Context);
        Assert.Equal(loaded.Context.TargetCertificate.Thumbprint, state.Current.Context.TargetCertificate.Thumbprint);
    }

    private void WriteCertificate(AsymmetricAlgorithm key)
    {
        CertificateRequest request = key is ECDsa ec
            ? new CertificateRequest("CN=subject", ec, HashAlgorithmName.SHA256)
            : new CertificateRequest("CN=subject", (RSA)key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        SubjectAlternativeNameBuilder names = new();
        names.AddDnsName("a.test");
        names.AddDnsName("*.b.test");
        request.CertificateExtensions.Add(names.Build());
        using X509Certificate2 certificate = request.CreateSelfSigned(TimeProvider.System.GetUtcNow().AddDays(-1), TimeProvider.System.GetUtcNow().AddDays(90));
        _folder.Write("c.pem", certificate.ExportCertificatePem());
    }
}
