using System.Diagnostics.CodeAnalysis;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Gateway.Config;

namespace Gateway.DataPlane.TlsStore;

/// <summary>Reads certificates from PEM files and says exactly what is wrong with them.</summary>
internal static class CertificateFiles
{
    private const string DnsNameOid = "2.5.4.3";

    /// <summary>What is wrong, and with which of the two files.</summary>
    public readonly record struct Failure(bool InKeyFile, string Code, string Message);

    /// <summary>A digest of both files' bytes; null when one cannot be read now, as in the middle of a swap.</summary>
    public static byte[]? TryHash(CertificateKey key)
    {
        try
        {
            return Hash(File.ReadAllBytes(key.CertPath), File.ReadAllBytes(key.KeyPath));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    public static bool TryLoad(CertificateKey key, DateTimeOffset now, [NotNullWhen(true)] out LoadedCertificate? loaded, out Failure failure)
    {
        loaded = null;
        if (!TryRead(key.CertPath, inKeyFile: false, out byte[] certBytes, out failure)) return false;
        if (!TryRead(key.KeyPath, inKeyFile: true, out byte[] keyBytes, out failure)) return false;
        string certPem = Encoding.UTF8.GetString(certBytes), keyPem = Encoding.UTF8.GetString(keyBytes);
        if (!certPem.Contains("-----BEGIN CERTIFICATE-----", StringComparison.Ordinal))
        {
            failure = new Failure(false, ConfigErrorCodes.InvalidCertificate, $"{key.CertPath} has no PEM certificate; it must hold blocks that begin with -----BEGIN CERTIFICATE-----, the leaf first");
            return false;
        }
        if (WhatIsWrongWithKey(keyPem, key) is { } wrong)
        {
            failure = new Failure(true, ConfigErrorCodes.InvalidCertificate, wrong);
            return false;
        }

        try
        {
            X509Certificate2Collection chain = [];
            chain.ImportFromPem(certPem);
            X509Certificate2 leaf = keyPem.Contains("ENCRYPTED PRIVATE KEY", StringComparison.Ordinal)
                ? X509Certificate2.CreateFromEncryptedPem(certPem, keyPem, key.Password)
                : X509Certificate2.CreateFromPem(certPem, keyPem);
            chain[0].Dispose();
            chain.RemoveAt(0);
            // Offline: nothing is fetched from the places a certificate names. So a missing intermediate stays missing, and no OCSP answer is stapled.
            SslStreamCertificateContext context = SslStreamCertificateContext.Create(leaf, chain, offline: true);
            loaded = new LoadedCertificate(context, NamesOf(leaf), new DateTimeOffset(leaf.NotAfter.ToUniversalTime(), TimeSpan.Zero), Hash(certBytes, keyBytes), now);
            return true;
        }
        catch (Exception unfit) when (unfit is CryptographicException or ArgumentException)
        {
            failure = Explain(key, keyPem, unfit);
            return false;
        }
    }

    private static Failure Explain(CertificateKey key, string keyPem, Exception unfit)
    {
        if (!unfit.Message.Contains("match", StringComparison.OrdinalIgnoreCase))
            return new Failure(false, ConfigErrorCodes.InvalidCertificate, $"{key.CertPath} with {key.KeyPath} cannot be read: {unfit.Message}");
        // .NET does not tell a wrong password from a wrong key.
        string password = keyPem.Contains("ENCRYPTED PRIVATE KEY", StringComparison.Ordinal) ? "keyPassword is not its password, or it" : "it";
        return new Failure(true, ConfigErrorCodes.InvalidCertificate, $"{key.KeyPath} cannot be used: {password} is not the key of the first certificate in {key.CertPath}; the leaf must come first, and the key be its own");
    }

    private static string? WhatIsWrongWithKey(string pem, CertificateKey key)
    {
        if (pem.Contains("Proc-Type: 4,ENCRYPTED", StringComparison.Ordinal))
            return $"{key.KeyPath} is encrypted in OpenSSL's old format; convert it with: openssl pkcs8 -topk8 -in KEY -out NEWKEY";
        if (!pem.Contains(" PRIVATE KEY-----", StringComparison.Ordinal) && !pem.Contains("BEGIN PRIVATE KEY", StringComparison.Ordinal))
            return $"{key.KeyPath} has no private key; it must hold a block that begins with -----BEGIN PRIVATE KEY----- (or RSA, EC or ENCRYPTED PRIVATE KEY)";
        if (pem.Contains("ENCRYPTED PRIVATE KEY", StringComparison.Ordinal) && string.IsNullOrEmpty(key.Password))
            return $"{key.KeyPath} is encrypted; give keyPassword";
        return null;
    }

    /// <summary>Subject alternative names; the common name only where there are none, as old private authorities write them.</summary>
    private static string[] NamesOf(X509Certificate2 leaf)
    {
        foreach (X509Extension extension in leaf.Extensions)
        {
            if (extension is X509SubjectAlternativeNameExtension alternatives)
            {
                string[] names = [.. alternatives.EnumerateDnsNames()];
                if (names.Length > 0) return names;
            }
        }
        foreach (X500RelativeDistinguishedName part in leaf.SubjectName.EnumerateRelativeDistinguishedNames())
        {
            if (!part.HasMultipleElements && part.GetSingleElementType().Value == DnsNameOid && part.GetSingleElementValue() is { Length: > 0 } name) return [name];
        }
        return [];
    }

    private static bool TryRead(string path, bool inKeyFile, out byte[] bytes, out Failure failure)
    {
        failure = default;
        bytes = [];
        try
        {
            bytes = File.ReadAllBytes(path);
            return true;
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            string fix = unreadable is FileNotFoundException or DirectoryNotFoundException
                ? "it does not exist; relative paths begin at the configuration file's folder"
                : unreadable.Message;
            failure = new Failure(inKeyFile, ConfigErrorCodes.FileUnreadable, $"{path} cannot be read: {fix}");
            return false;
        }
    }

    private static byte[] Hash(byte[] certificate, byte[] key)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(SHA256.HashData(certificate));
        hash.AppendData(SHA256.HashData(key));
        return hash.GetHashAndReset();
    }
}
