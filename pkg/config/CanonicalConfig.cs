using System.Security.Cryptography;
using Gateway.Config.Canonical;
using Gateway.Config.Shapes;

namespace Gateway.Config;

/// <summary>
/// The one form of a configuration: UTF-8 JSON without white space, fields in the order of declaration, names of pools and certificates in
/// ordinal order, durations and sizes in one spelling, nothing that equals its default, no <c>$schema</c>. Documents that mean the same by
/// these rules have the same form, whatever their formatting, key order or language. Secrets are references as written, or a digest.
/// </summary>
public static class CanonicalConfig
{
    /// <summary>The canonical bytes. They cannot be read back when the document holds a literal secret.</summary>
    public static byte[] Write(GatewayConfig config) => Form(config, SecretForm.Digest).Written.ToArray();

    /// <summary>The canonical bytes with <c>***</c> in place of literal secrets: what may be shown.</summary>
    public static byte[] WriteForDisplay(GatewayConfig config) => Form(config, SecretForm.Hidden).Written.ToArray();

    /// <summary>The version of a configuration: the lower-case hex SHA-256 of its canonical bytes.</summary>
    public static string Version(GatewayConfig config)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Form(config, SecretForm.Digest, hash).Written);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static CanonicalWriter Form(GatewayConfig config, SecretForm secrets, IncrementalHash? hash = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        var writer = new CanonicalWriter(secrets, withDefaults: false, hash);
        ConfigShapes.Root.Write(writer, config);
        return writer;
    }
}
