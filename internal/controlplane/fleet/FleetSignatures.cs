using Gateway.Bundle;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Bundles;
using Gateway.ControlPlane.Store;

namespace Gateway.ControlPlane.Fleet;

/// <summary>
/// Who writes to the fleet's database is not thereby one of those who sign: a replica with keys verifies each signed envelope once more, and
/// takes without one only what was live here before. Expiry is for where a bundle comes in: a replica that was down meanwhile must be able to
/// catch up. Thread safe.
/// </summary>
/// <param name="verifier">Null where nobody need sign.</param>
internal sealed class FleetSignatures(BundleVerifier? verifier, ConfigStore configs)
{
    /// <summary>The change's stamp, with what of it may be believed.</summary>
    public FleetStamp Stamp(FleetChange change, ConfigDocument document, byte[] envelope, string detail)
    {
        FleetStamp stamp = new(change.Sequence, change.BundleSequence, detail) { IsRollback = change.Source == "rollback" };
        if (verifier is null) return stamp;
        if (Verify(document, envelope, out string refusal) is { } manifest) return stamp with { BundleSequence = manifest.Sequence };
        // It was verified when it came, or is this replica's own file.
        if (configs.History().Any(r => r.IsApplied && r.Digest == document.Digest && r.Format == document.FormatName)) return stamp with { BundleSequence = null };
        return stamp with { BundleSequence = null, Unsigned = $"change {change.Sequence} of the fleet ({change.Source} by {change.Actor} at {change.Replica}) is not taken here: {refusal}" };
    }

    /// <summary>The request with its bundle if that holds, else with none, so that it is refused as unsigned.</summary>
    public ApplyRequest Verified(ApplyRequest request, byte[] envelope)
    {
        if (verifier is null) return request;
        return request with { Bundle = Verify(request.Document, envelope, out _) is { } manifest ? new BundleStamp(manifest.Sequence, request.Bundle?.Detail ?? $"bundle {manifest.Sequence}") { Envelope = envelope } : null };
    }

    private BundleManifest? Verify(ConfigDocument document, byte[] envelope, out string refusal)
    {
        refusal = $"{BundleRefusalCodes.NoSignature}: no signed bundle brought it, and this replica was started with --public-key";
        if (envelope.Length == 0) return null;
        BundleVerification verified = verifier!.Verify(envelope, DateTimeOffset.MinValue);
        if (verified.Refusal is { } why) refusal = $"{why.Code}: {why.Message}";
        else if (verified.Manifest!.ConfigSha256 != document.Digest || BundleIntake.FormatOf(document.Content.Span) != document.Format) refusal = $"{BundleRefusalCodes.BadDigest}: the signed bundle beside it has another configuration";
        else return verified.Manifest;
        return null;
    }
}
