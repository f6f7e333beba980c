using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;

namespace Gateway.Bundle;

/// <summary>
/// A bundle as a file: a DSSE envelope around the manifest. <c>{payloadType, payload: base64, signatures: [{keyid, sig: base64}]}</c>, signed
/// over DSSE's pre-authentication encoding with Ed25519, so that <c>openssl pkeyutl -verify -rawin</c> can check it.
/// </summary>
public static class BundleFile
{
    public const string PayloadType = "application/vnd.gateway.bundle+json";

    /// <summary>A larger file is refused unread.</summary>
    public const int MaxBytes = 10 << 20;

    /// <summary>JSON numbers are exact up to here in every reader (RFC 8259 section 6).</summary>
    public const long MaxSequence = (1L << 53) - 1;

    private const int Format = 1;

    /// <summary>Lower-case hex SHA-256.</summary>
    public static string DigestOf(ReadOnlySpan<byte> config) => Convert.ToHexStringLower(SHA256.HashData(config));

    /// <summary>The envelope of a manifest, signed by all of the keys.</summary>
    /// <exception cref="ArgumentException">The manifest would be refused whoever signed it, or no key was given.</exception>
    public static byte[] Sign(BundleManifest manifest, IReadOnlyList<SigningKey> keys)
    {
        if (keys.Count == 0) throw new ArgumentException("a bundle is signed with at least one key", nameof(keys));
        if (manifest.Sequence is < 1 or > MaxSequence) throw new ArgumentException($"the sequence is from 1 to {MaxSequence}", nameof(manifest));
        byte[] payload = WritePayload(manifest);
        byte[] signed = Dsse.Encode(PayloadType, payload);
        var envelope = new ArrayBufferWriter<byte>(payload.Length * 2);
        using (var json = new Utf8JsonWriter(envelope))
        {
            json.WriteStartObject();
            json.WriteString("payloadType", PayloadType);
            json.WriteBase64String("payload", payload);
            json.WriteStartArray("signatures");
            foreach (SigningKey key in keys)
            {
                json.WriteStartObject();
                json.WriteString("keyid", key.Public.Id);
                json.WriteBase64String("sig", key.Sign(signed));
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return envelope.WrittenCount <= MaxBytes
            ? envelope.WrittenSpan.ToArray()
            : throw new ArgumentException($"the bundle would have {envelope.WrittenCount} bytes; at most {MaxBytes} are accepted", nameof(manifest));
    }

    /// <summary>What a bundle says, and the ids of the keys it claims to be signed with. Nothing of it is verified: for looking at only.</summary>
    /// <param name="refusal">With null: why it cannot be read.</param>
    public static (BundleManifest Manifest, IReadOnlyList<string> KeyIds)? Inspect(ReadOnlyMemory<byte> envelope, out BundleRefusal? refusal)
    {
        refusal = null;
        try
        {
            Envelope read = Envelope.Read(envelope);
            return (ReadPayload(read.Payload), [.. read.Signatures.Select(static s => s.KeyId)]);
        }
        catch (RefusedException e)
        {
            refusal = e.Refusal;
            return null;
        }
    }

    internal static BundleManifest ReadPayload(ReadOnlyMemory<byte> payload)
    {
        using JsonDocument document = StrictJson.Parse(payload, "manifest");
        JsonElement root = document.RootElement;
        // First of all, for another format may have other fields.
        long format = StrictJson.Number(root, "manifest", "format");
        if (format != Format) throw new RefusedException(BundleRefusalCodes.UnsupportedFormat, $"the manifest has format {format}; this gateway reads {Format}");
        StrictJson.Allow(root, "manifest", "format", "sequence", "version", "createdAt", "expiresAt", "source", "notes", "configSha256", "config");
        string digest = StrictJson.Text(root, "manifest", "configSha256"), version = StrictJson.Text(root, "manifest", "version");
        if (!IsDigest(version) || !IsDigest(digest)) throw new RefusedException(BundleRefusalCodes.Malformed, "version and configSha256 are 64 hexadecimal digits in lower case each");
        byte[] config = StrictJson.Bytes(root, "manifest", "config");
        if (version != digest || DigestOf(config) != digest)
            throw new RefusedException(BundleRefusalCodes.BadDigest, $"the configuration's SHA-256 is {DigestOf(config)}, and the manifest says version {version} and configSha256 {digest}");
        long sequence = StrictJson.Number(root, "manifest", "sequence");
        return sequence is >= 1 and <= MaxSequence
            ? new BundleManifest
            {
                Sequence = sequence,
                CreatedAt = StrictJson.Time(root, "manifest", "createdAt"),
                ExpiresAt = StrictJson.Time(root, "manifest", "expiresAt"),
                Source = StrictJson.Text(root, "manifest", "source"),
                Notes = StrictJson.Text(root, "manifest", "notes"),
                ConfigSha256 = digest,
                Config = config,
            }
            : throw new RefusedException(BundleRefusalCodes.Malformed, $"the sequence is {sequence}; it is from 1 to {MaxSequence}");
    }

    private static byte[] WritePayload(BundleManifest manifest)
    {
        var payload = new ArrayBufferWriter<byte>(manifest.Config.Length * 2);
        using (var json = new Utf8JsonWriter(payload))
        {
            json.WriteStartObject();
            json.WriteNumber("format", Format);
            json.WriteNumber("sequence", manifest.Sequence);
            json.WriteString("version", manifest.ConfigSha256);
            json.WriteString("createdAt", manifest.CreatedAt.UtcDateTime);
            json.WriteString("expiresAt", manifest.ExpiresAt.UtcDateTime);
            json.WriteString("source", manifest.Source);
            json.WriteString("notes", manifest.Notes);
            json.WriteString("configSha256", manifest.ConfigSha256);
            json.WriteBase64String("config", manifest.Config.Span);
            json.WriteEndObject();
        }
        return payload.WrittenSpan.ToArray();
    }

    private static bool IsDigest(string text) => text.Length == 64 && !text.AsSpan().ContainsAnyExcept("0123456789abcdef");
}
