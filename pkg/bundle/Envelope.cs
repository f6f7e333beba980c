using System.Text.Json;

namespace Gateway.Bundle;

/// <summary>A DSSE envelope that was read; nothing of it is verified.</summary>
internal sealed record Envelope(byte[] Payload, IReadOnlyList<(string KeyId, byte[] Signature)> Signatures)
{
    /// <exception cref="RefusedException">It is none.</exception>
    public static Envelope Read(ReadOnlyMemory<byte> json)
    {
        if (json.Length > BundleFile.MaxBytes) throw new RefusedException(BundleRefusalCodes.TooLarge, $"the bundle has {json.Length} bytes; at most {BundleFile.MaxBytes} are read");
        using JsonDocument document = StrictJson.Parse(json, "envelope");
        JsonElement root = document.RootElement;
        StrictJson.Allow(root, "envelope", "payloadType", "payload", "signatures");
        string type = StrictJson.Text(root, "envelope", "payloadType");
        if (type != BundleFile.PayloadType) throw new RefusedException(BundleRefusalCodes.UnsupportedFormat, $"the payload type is \"{(type.Length > 100 ? type[..100] : type)}\"; a bundle's is {BundleFile.PayloadType}");
        byte[] payload = StrictJson.Bytes(root, "envelope", "payload");
        if (!root.TryGetProperty("signatures", out JsonElement signatures)) return new Envelope(payload, []);
        if (signatures.ValueKind != JsonValueKind.Array) throw new RefusedException(BundleRefusalCodes.Malformed, "the envelope's signatures are no list");
        var list = new List<(string, byte[])>();
        foreach (JsonElement signature in signatures.EnumerateArray())
        {
            if (signature.ValueKind != JsonValueKind.Object) throw new RefusedException(BundleRefusalCodes.Malformed, "a signature is no object");
            StrictJson.Allow(signature, "signature", "keyid", "sig");
            list.Add((StrictJson.Text(signature, "signature", "keyid"), StrictJson.Bytes(signature, "signature", "sig")));
        }
        return new Envelope(payload, list);
    }
}
