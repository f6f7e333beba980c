namespace Gateway.DataPlane.TlsStore;

/// <summary>What a certificate is known by across applies: its files, by full path, and the key's password.</summary>
internal sealed record CertificateKey(string CertPath, string KeyPath, string? Password)
{
    // A record prints its properties; the password is nobody's business.
    public override string ToString() => CertPath;
}
