using System.Security.Cryptography;

namespace Gateway.Bundle;

/// <summary>Ed25519 keys in PEM as <c>openssl genpkey</c> and <c>openssl pkey -pubout</c> write them (RFC 8410: PKCS#8 and SPKI).</summary>
internal static class KeyPem
{
    // The DER of both has one form, since all lengths are fixed: the key's bytes follow.
    private static ReadOnlySpan<byte> Pkcs8 => [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    private static ReadOnlySpan<byte> Spki => [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

    public static byte[] SpkiOf(ReadOnlySpan<byte> publicKey) => [.. Spki, .. publicKey];

    public static string WritePrivate(ReadOnlySpan<byte> seed) => PemEncoding.WriteString("PRIVATE KEY", [.. Pkcs8, .. seed]) + "\n";

    public static string WritePublic(ReadOnlySpan<byte> publicKey) => PemEncoding.WriteString("PUBLIC KEY", SpkiOf(publicKey)) + "\n";

    /// <exception cref="FormatException">It is no such key; the message says what it is, for a person.</exception>
    public static byte[] ReadPrivate(string pem) => Read(pem, "PRIVATE KEY", Pkcs8, "an Ed25519 private key (PKCS#8), as 'gatewayctl bundle keygen' or 'openssl genpkey -algorithm ed25519' writes it");

    /// <exception cref="FormatException">It is no such key; the message says what it is, for a person.</exception>
    public static byte[] ReadPublic(string pem) => Read(pem, "PUBLIC KEY", Spki, "an Ed25519 public key (SPKI), as 'gatewayctl bundle keygen' or 'openssl pkey -pubout' writes it");

    private static byte[] Read(string pem, string label, ReadOnlySpan<byte> prefix, string wanted)
    {
        if (!PemEncoding.TryFind(pem, out PemFields fields)) throw new FormatException($"it is not PEM; give {wanted}");
        string found = pem[fields.Label];
        if (found != label) throw new FormatException($"it is a {found}; give {wanted}");
        byte[] der = Convert.FromBase64String(pem[fields.Base64Data]);
        if (der.Length != prefix.Length + Ed25519.KeyLength || !der.AsSpan().StartsWith(prefix)) throw new FormatException($"it is a {found} of another algorithm or form; give {wanted}");
        return der[prefix.Length..];
    }
}
