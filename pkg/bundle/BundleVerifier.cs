namespace Gateway.Bundle;

/// <summary>A verified bundle, or why it is refused.</summary>
/// <param name="Manifest">Null when it is refused.</param>
/// <param name="SignedBy">Ids of the trusted keys whose signatures hold.</param>
public sealed record BundleVerification(BundleManifest? Manifest, IReadOnlyList<string> SignedBy, BundleRefusal? Refusal);

/// <summary>
/// Verifies bundles. Nothing of the payload is read before enough signatures hold over its exact bytes; keys come from the gateway's own
/// files, never from the bundle. Whether the sequence is above the last one is for who applies it to say. Thread safe.
/// </summary>
public sealed class BundleVerifier
{
    private readonly Dictionary<string, VerificationKey> _keys = [];

    /// <param name="keys">The keys that may sign.</param>
    /// <param name="threshold">How many different ones of them must, from 1 to their number.</param>
    public BundleVerifier(IEnumerable<VerificationKey> keys, int threshold)
    {
        foreach (VerificationKey key in keys) _keys[key.Id] = key;
        ArgumentOutOfRangeException.ThrowIfLessThan(threshold, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(threshold, Math.Max(_keys.Count, 1));
        Threshold = threshold;
    }

    public int Threshold { get; }

    /// <summary>Without keys, takes bundles whoever signed them, or nobody, for those who trust the way by which they come. Nothing else is taken less strictly.</summary>
    public bool AllowsUnsigned { get; init; }

    /// <summary>Ids of the keys that may sign.</summary>
    public IReadOnlyCollection<string> KeyIds => _keys.Keys;

    public BundleVerification Verify(ReadOnlyMemory<byte> envelope, DateTimeOffset now)
    {
        IReadOnlyList<string> signedBy = [];
        try
        {
            Envelope read = Envelope.Read(envelope);
            signedBy = VerifySignatures(read);
            BundleManifest manifest = BundleFile.ReadPayload(read.Payload);
            return now < manifest.ExpiresAt
                ? new BundleVerification(manifest, signedBy, null)
                : throw new RefusedException(BundleRefusalCodes.Expired, $"the bundle expired at {manifest.ExpiresAt.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}; sign it again");
        }
        catch (RefusedException e)
        {
            return new BundleVerification(null, signedBy, e.Refusal);
        }
    }

    private List<string> VerifySignatures(Envelope envelope)
    {
        if (AllowsUnsigned && _keys.Count == 0) return [];
        if (envelope.Signatures.Count == 0) throw new RefusedException(BundleRefusalCodes.NoSignature, "the bundle is not signed; sign it with 'gatewayctl bundle sign'");
        byte[] signed = Dsse.Encode(BundleFile.PayloadType, envelope.Payload);
        var by = new List<string>();
        foreach ((string keyId, byte[] signature) in envelope.Signatures)
        {
            // Signatures by others are none of ours: while keys are changed, a bundle carries those of old and new.
            if (!_keys.TryGetValue(keyId, out VerificationKey? key)) continue;
            if (!key.Verify(signed, signature)) throw new RefusedException(BundleRefusalCodes.BadSignature, $"the signature by key {keyId} does not fit the bundle's content");
            if (!by.Contains(keyId)) by.Add(keyId);
        }
        if (by.Count == 0) throw new RefusedException(BundleRefusalCodes.UnknownKey, $"no trusted key signed the bundle; it is signed by {Shown(envelope)}, and trusted are {string.Join(", ", _keys.Keys.DefaultIfEmpty("none (start the gateway with --public-key)"))}");
        if (by.Count < Threshold) throw new RefusedException(BundleRefusalCodes.ThresholdNotMet, $"{by.Count} trusted key(s) signed the bundle; {Threshold} must");
        return by;
    }

    private static string Shown(Envelope envelope) => string.Join(", ", envelope.Signatures.Take(4).Select(static s => s.KeyId.Length > 64 ? s.KeyId[..64] : s.KeyId));
}
