using System.Reflection;
using System.Runtime.InteropServices;

namespace Gateway.Bundle;

/// <summary>The few functions of OpenSSL 3's libcrypto that Ed25519 takes; .NET has none of its own for it.</summary>
internal static unsafe partial class LibCrypto
{
    private const string Library = "libcrypto-3";

    /// <summary>NID of Ed25519 (openssl/obj_mac.h).</summary>
    public const int Ed25519 = 1087;

    private static readonly string[] FileNames = ["libcrypto.so.3", "libcrypto.3.dylib", "libcrypto-3-x64.dll", "libcrypto-3-arm64.dll"];

    static LibCrypto() => NativeLibrary.SetDllImportResolver(typeof(LibCrypto).Assembly, static (name, assembly, path) => name == Library ? Load(assembly, path) : 0);

    private static nint Load(Assembly assembly, DllImportSearchPath? path)
    {
        foreach (string file in FileNames)
            if (NativeLibrary.TryLoad(file, assembly, path, out nint handle)) return handle;
        throw new DllNotFoundException($"OpenSSL 3 is needed for bundles and was not found ({string.Join(", ", FileNames)}): install the package libssl3");
    }

    [LibraryImport(Library)]
    public static partial KeyHandle EVP_PKEY_new_raw_private_key(int type, nint engine, byte* key, nuint length);

    [LibraryImport(Library)]
    public static partial KeyHandle EVP_PKEY_new_raw_public_key(int type, nint engine, byte* key, nuint length);

    [LibraryImport(Library)]
    public static partial int EVP_PKEY_get_raw_public_key(KeyHandle key, byte* to, nuint* length);

    [LibraryImport(Library)]
    public static partial void EVP_PKEY_free(nint key);

    [LibraryImport(Library)]
    public static partial DigestContextHandle EVP_MD_CTX_new();

    [LibraryImport(Library)]
    public static partial void EVP_MD_CTX_free(nint context);

    [LibraryImport(Library)]
    public static partial int EVP_DigestSignInit(DigestContextHandle context, nint keyContext, nint digest, nint engine, KeyHandle key);

    [LibraryImport(Library)]
    public static partial int EVP_DigestSign(DigestContextHandle context, byte* signature, nuint* signatureLength, byte* data, nuint length);

    [LibraryImport(Library)]
    public static partial int EVP_DigestVerifyInit(DigestContextHandle context, nint keyContext, nint digest, nint engine, KeyHandle key);

    [LibraryImport(Library)]
    public static partial int EVP_DigestVerify(DigestContextHandle context, byte* signature, nuint signatureLength, byte* data, nuint length);

    [LibraryImport(Library)]
    public static partial void ERR_clear_error();
}

/// <summary>An EVP_PKEY, private or public.</summary>
internal sealed class KeyHandle() : SafeHandle(0, ownsHandle: true)
{
    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        LibCrypto.EVP_PKEY_free(handle);
        return true;
    }
}

/// <summary>An EVP_MD_CTX.</summary>
internal sealed class DigestContextHandle() : SafeHandle(0, ownsHandle: true)
{
    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        LibCrypto.EVP_MD_CTX_free(handle);
        return true;
    }
}
