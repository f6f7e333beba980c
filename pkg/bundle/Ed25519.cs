using System.Security.Cryptography;

namespace Gateway.Bundle;

/// <summary>Ed25519 (RFC 8032) over OpenSSL. Thread safe: nothing is kept between calls.</summary>
internal static unsafe class Ed25519
{
    /// <summary>Bytes of a private key (its seed) and of a public key.</summary>
    public const int KeyLength = 32;

    public const int SignatureLength = 64;

    public static byte[] PublicOf(ReadOnlySpan<byte> seed)
    {
        using KeyHandle key = Private(seed);
        byte[] publicKey = new byte[KeyLength];
        nuint length = KeyLength;
        fixed (byte* to = publicKey) Check(LibCrypto.EVP_PKEY_get_raw_public_key(key, to, &length) == 1 && length == KeyLength, "read a public key");
        return publicKey;
    }

    public static byte[] Sign(ReadOnlySpan<byte> seed, ReadOnlySpan<byte> data)
    {
        using KeyHandle key = Private(seed);
        using DigestContextHandle context = LibCrypto.EVP_MD_CTX_new();
        Check(!context.IsInvalid && LibCrypto.EVP_DigestSignInit(context, 0, 0, 0, key) == 1, "begin a signature");
        byte[] signature = new byte[SignatureLength];
        nuint length = SignatureLength;
        fixed (byte* to = signature)
        fixed (byte* from = data) Check(LibCrypto.EVP_DigestSign(context, to, &length, from, (nuint)data.Length) == 1 && length == SignatureLength, "sign");
        return signature;
    }

    /// <summary>False also for a signature of another length, and for a public key that is no point of the curve.</summary>
    public static bool Verify(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature)
    {
        if (publicKey.Length != KeyLength || signature.Length != SignatureLength) return false;
        fixed (byte* raw = publicKey)
        fixed (byte* from = data)
        fixed (byte* sig = signature)
        {
            using KeyHandle key = LibCrypto.EVP_PKEY_new_raw_public_key(LibCrypto.Ed25519, 0, raw, KeyLength);
            using DigestContextHandle context = LibCrypto.EVP_MD_CTX_new();
            bool holds = !key.IsInvalid && !context.IsInvalid
                && LibCrypto.EVP_DigestVerifyInit(context, 0, 0, 0, key) == 1
                && LibCrypto.EVP_DigestVerify(context, sig, SignatureLength, from, (nuint)data.Length) == 1;
            // A refusal leaves an error in the thread's queue, where .NET's own TLS would find it.
            if (!holds) LibCrypto.ERR_clear_error();
            return holds;
        }
    }

    private static KeyHandle Private(ReadOnlySpan<byte> seed)
    {
        fixed (byte* raw = seed)
        {
            KeyHandle key = LibCrypto.EVP_PKEY_new_raw_private_key(LibCrypto.Ed25519, 0, raw, (nuint)seed.Length);
            Check(!key.IsInvalid, "take a private key");
            return key;
        }
    }

    private static void Check(bool done, string what)
    {
        if (done) return;
        LibCrypto.ERR_clear_error();
        throw new CryptographicException($"OpenSSL could not {what}");
    }
}
