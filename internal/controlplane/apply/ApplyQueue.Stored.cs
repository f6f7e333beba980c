using Gateway.ControlPlane.Store;
using Microsoft.Extensions.Logging;

namespace Gateway.ControlPlane.Apply;

public sealed partial class ApplyQueue
{
    /// <summary>
    /// The first configuration of a process without a file: what was live before the restart. Not started when nothing was, or when it cannot
    /// be served any more; then what comes next is the first.
    /// </summary>
    public Task<StartResult> StartFromStoreAsync() => EnqueueAsync(StartFromStoreOneAsync, CancellationToken.None);

    private async Task<StartResult> StartFromStoreOneAsync()
    {
        long start = _time.GetTimestamp();
        if (_store.LastApplied is not { } last) return new StartResult(false, [], []);
        ChangeOrigin origin = new(last.Source, last.Actor, "");
        Candidate candidate = _steps.Compile(ReadStored(last), last.Source);
        if (!candidate.IsBroken) candidate = await PublishAsync(candidate);
        if (candidate.IsBroken)
        {
            LogStoredBroken(_logger, last.Version!, ApplyLedger.Summary(candidate.Errors)!);
            return new StartResult(false, candidate.Errors, candidate.Warnings);
        }
        SetLive(candidate, origin, last.Time, last.Sequence, candidate.Warnings, stored: true, last.FleetSequence);
        _ = Ended(ApplyOutcome.Applied, candidate, "start", origin, start);
        return new StartResult(true, [], candidate.Warnings);
    }

    [LoggerMessage(1013, LogLevel.Error, "version {Version}, which was live before the restart, cannot be served any more; nothing is served until another one comes: {Detail}")]
    private static partial void LogStoredBroken(ILogger logger, string version, string detail);
}
