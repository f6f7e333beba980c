using System.Security.Cryptography;

namespace Gateway.Bundle;

/// <summary>A public key that may sign bundles. Immutable, thread safe.</summary>
public sealed class VerificationKey
{
    private readonly byte[] _key;

    internal VerificationKey(byte[] key)
    {
        _key = key;
        Id = Convert.ToHexStringLower(SHA256.HashData(KeyPem.SpkiOf(key)));
    }

    /// <summary>Lower-case hex SHA-256 of the key's SPKI in DER.</summary>
    public string Id { get; }

    /// <summary>Reads a PEM file's text.</summary>
    /// <exception cref="FormatException">It is no Ed25519 public key; the message says what it is and what to give, for a person.</exception>
    public static VerificationKey FromPem(string pem) => new(KeyPem.ReadPublic(pem));

    public string ToPem() => KeyPem.WritePublic(_key);

    public bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature) => Ed25519.Verify(_key, data, signature);
}

/// <summary>A private key that signs bundles. Immutable, thread safe until it is disposed.</summary>
public sealed class SigningKey : IDisposable
{
    private readonly byte[] _seed;

    private SigningKey(byte[] seed)
    {
        _seed = seed;
        Public = new VerificationKey(Ed25519.PublicOf(seed));
    }

    public VerificationKey Public { get; }

    public static SigningKey Generate() => new(RandomNumberGenerator.GetBytes(Ed25519.KeyLength));

    /// <summary>Reads a PEM file's text.</summary>
    /// <exception cref="FormatException">It is no Ed25519 private key; the message says what it is and what to give, for a person.</exception>
    public static SigningKey FromPem(string pem) => new(KeyPem.ReadPrivate(pem));

    public string ToPem() => KeyPem.WritePrivate(_seed);

    /// <summary>64 bytes.</summary>
    public byte[] Sign(ReadOnlySpan<byte> data) => Ed25519.Sign(_seed, data);

    /// <summary>Forgets the key.</summary>
    public void Dispose() => CryptographicOperations.ZeroMemory(_seed);
}
