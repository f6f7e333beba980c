using Gateway.Config;
using Gateway.ControlPlane.Store;
using Microsoft.Extensions.Logging;

namespace Gateway.ControlPlane.Apply;

/// <summary>How the start went.</summary>
/// <param name="Started">Something is live.</param>
/// <param name="FileErrors">What is wrong with the file; with <paramref name="Started"/> the last good configuration is served in its place.</param>
public sealed record StartResult(bool Started, IReadOnlyList<ConfigError> FileErrors, IReadOnlyList<ConfigError> Warnings);

public sealed partial class ApplyQueue
{
    // The last change before the restart stays the last change: what was applied or rolled back to over the admin API is served again, unless
    // the file's content is another than it was then. A broken file is refused in any case, also one that would not be served.
    private async Task<StartResult> StartOneAsync(ConfigDocument? file, ConfigError? fileError, ChangeOrigin origin, bool lastGood)
    {
        long start = _time.GetTimestamp();
        HistoryRecord? last = _store.LastApplied;
        FileDigest = file?.Digest;
        if (file is not null && last is not null && IsUnchangedMerge(file, last) && await ContinueAsync(last, start) is { } merged) return merged;
        IReadOnlyList<ConfigError> conflicts = file is null ? [fileError!] : [];
        ConfigDocument whole = file is null ? new ConfigDocument(default, DocumentFormat.Json) : Restarted(file, last, origin, out conflicts);
        Candidate candidate = conflicts.Count > 0
            ? new Candidate(whole) { Errors = conflicts }
            : _steps.CompileAndCheck(_steps.Read(whole), origin.Source);
        if (!candidate.IsBroken)
        {
            if (last is { Source: "admin" or "bundle" or "rollback" or FleetSource } && last.Version != candidate.Version
                && (last.FileDigest == file!.Digest || (Sharing is not null && last.FleetSequence is not null) || (SignedOnly && last.BundleSequence is not null))
                && await ContinueAsync(last, start) is { } continued)
            {
                return continued;
            }
            candidate = await PublishAsync(candidate);
        }
        if (!candidate.IsBroken)
        {
            string? unsaved = _ledger.Save(candidate.Document);
            if (last?.Digest == file!.Digest && last.Version == candidate.Version) SetLive(candidate, origin, last.Time, last.Sequence, candidate.Warnings, unsaved is null, last.FleetSequence);
            else candidate = Publicize(candidate, origin, start, target: null, detail: null, stored: unsaved is null);
            _ = Ended(ApplyOutcome.Applied, candidate, "start", origin, start);
            return new StartResult(true, [], candidate.Warnings);
        }
        return lastGood && last is not null
            ? await FallBackAsync(last, candidate, origin, start)
            : new StartResult(false, candidate.Errors, candidate.Warnings);
    }

    private async Task<StartResult?> ContinueAsync(HistoryRecord last, long start)
    {
        Candidate candidate = _steps.Compile(ReadStored(last), last.Source);
        if (!candidate.IsBroken) candidate = await PublishAsync(candidate);
        if (candidate.IsBroken)
        {
            LogCannotContinue(_logger, last.Source, last.Version!, ApplyLedger.Summary(candidate.Errors)!);
            return null;
        }
        ChangeOrigin origin = new(last.Source, last.Actor, "");
        SetLive(candidate, origin, last.Time, last.Sequence, candidate.Warnings, stored: true, last.FleetSequence);
        _ = Ended(ApplyOutcome.Applied, candidate, "start", origin, start);
        LogContinues(_logger, last.Version!, last.Source, last.Time);
        return new StartResult(true, [], candidate.Warnings);
    }

    private async Task<StartResult> FallBackAsync(HistoryRecord last, Candidate file, ChangeOrigin origin, long start)
    {
        _ = Rejected(file, new ApplyRequest(file.Document, origin), start);
        Candidate candidate = _steps.Compile(ReadStored(last), "last-good");
        if (!candidate.IsBroken) candidate = await PublishAsync(candidate);
        if (candidate.IsBroken) return new StartResult(false, [.. file.Errors, .. candidate.Errors], file.Warnings);
        ChangeOrigin lastGood = new("last-good", last.Actor, "");
        SetLive(candidate, lastGood, last.Time, last.Sequence, candidate.Warnings, stored: true, last.FleetSequence);
        _ = Ended(ApplyOutcome.Applied, candidate, "start", lastGood, start);
        LogLastGood(_logger, last.Version!, last.Time, file.Errors.Count);
        return new StartResult(true, file.Errors, candidate.Warnings);
    }

    [LoggerMessage(1010, LogLevel.Warning, "serving version {Version}, which came by {Source} at {Time:O}: the file has not changed since then. Change the file, or send SIGHUP, to serve the file.")]
    private static partial void LogContinues(ILogger logger, string version, string source, DateTimeOffset time);

    [LoggerMessage(1011, LogLevel.Error, "version {Version}, which came by {Source} before the restart, cannot be served any more; serving the file instead: {Detail}")]
    private static partial void LogCannotContinue(ILogger logger, string source, string version, string detail);

    [LoggerMessage(1012, LogLevel.Error, "THE CONFIGURATION FILE IS BROKEN ({Errors} errors): serving the last good version {Version} of {Time:O} until the file is mended")]
    private static partial void LogLastGood(ILogger logger, string version, DateTimeOffset time, int errors);
}
