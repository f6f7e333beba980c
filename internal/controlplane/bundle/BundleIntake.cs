using Gateway.Bundle;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Rollout;
using Gateway.ControlPlane.Store;
using Microsoft.Extensions.Logging;

namespace Gateway.ControlPlane.Bundles;

/// <summary>How the taking of a bundle ended: refused before its configuration was looked at, or with the result of the apply.</summary>
/// <param name="Manifest">Null when it is refused.</param>
/// <param name="Result">Null when it is refused.</param>
/// <param name="Rollout">The rollout that it began; null when it began none.</param>
public sealed record BundleOutcome(BundleRefusal? Refusal, BundleManifest? Manifest, ApplyResult? Result, RolloutRecord? Rollout = null);

/// <summary>
/// The one way of a signed bundle into the live configuration, whoever brings it: verify, then the rollout <c>default</c>, which without stages is an apply. A refused one changes nothing and is
/// counted, logged and in the audit log with its reason. Thread safe.
/// </summary>
public sealed partial class BundleIntake(ApplyQueue queue, RolloutDirector rollouts, BundleVerifier verifier, AuditLog audit, TimeProvider time, ILoggerFactory loggers)
{
    private const int ShortId = 12;

    private readonly ILogger _logger = loggers.CreateLogger("gateway.bundle");

    /// <param name="envelope">The bundle's bytes, read until this returns.</param>
    /// <param name="origin">Who brings it, and from where.</param>
    /// <param name="cancellationToken">Takes it out of the queue; an apply that has begun is finished.</param>
    /// <param name="byItself">As <see cref="ApplyRequest.ByItself"/>.</param>
    public async Task<BundleOutcome> TakeAsync(ReadOnlyMemory<byte> envelope, ChangeOrigin origin, CancellationToken cancellationToken, bool byItself = false)
    {
        origin = origin with { Source = "bundle" };
        BundleVerification verified = verifier.Verify(envelope, time.GetUtcNow());
        if (verified is not { Manifest: { } manifest })
        {
            Refused(verified.Refusal!, origin);
            return new BundleOutcome(verified.Refusal, null, null);
        }
        string detail = $"bundle {manifest.Sequence} signed by {string.Join(", ", verified.SignedBy.Select(static id => id[..ShortId]).DefaultIfEmpty("nobody known"))}{(manifest.Source.Length == 0 ? "" : $", from {manifest.Source}")}";
        // The bytes are lent until this returns; a rollout goes on after it.
        BundleStamp stamp = new(manifest.Sequence, detail) { Envelope = queue.Sharing is null ? default : envelope.ToArray() };
        ApplyRequest request = new(new ConfigDocument(manifest.Config, FormatOf(manifest.Config.Span)), origin) { Bundle = stamp, Rollout = RolloutDirector.OfBundles, ByItself = byItself };
        (RolloutRecord? rollout, ApplyResult result) = await rollouts.StartAsync(request, cancellationToken);
        bool isStale = result.Errors is [{ Code: BundleRefusalCodes.StaleSequence }, ..];
        queue.Metrics.BundleVerified(isStale ? BundleRefusalCodes.StaleSequence : "ok");
        return new BundleOutcome(null, manifest, result, rollout);
    }

    // A JSON document is an object; no YAML document of a configuration begins so but what is JSON as well.
    internal static DocumentFormat FormatOf(ReadOnlySpan<byte> config) => config.TrimStart(" \t\r\n"u8) is [(byte)'{', ..] ? DocumentFormat.Json : DocumentFormat.Yaml;

    private void Refused(BundleRefusal refusal, ChangeOrigin origin)
    {
        queue.Metrics.BundleVerified(refusal.Code);
        LogRefused(_logger, origin.Actor, origin.From, refusal.Code, refusal.Message);
        try
        {
            audit.Append(new AuditEntry(time.GetUtcNow(), origin.Actor, origin.From, "bundle", origin.Source, null, refusal.Code, refusal.Message));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogAuditFailed(_logger, e);
        }
    }

    [LoggerMessage(1300, LogLevel.Warning, "a bundle by {Actor} from {From} is refused, what was live stays live: {Code}: {Reason}")]
    private static partial void LogRefused(ILogger logger, string actor, string from, string code, string reason);

    [LoggerMessage(1301, LogLevel.Error, "cannot write the audit log")]
    private static partial void LogAuditFailed(ILogger logger, Exception exception);
}
