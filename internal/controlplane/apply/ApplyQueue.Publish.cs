using Gateway.Config;
using Gateway.ControlPlane.Store;

namespace Gateway.ControlPlane.Apply;

public sealed partial class ApplyQueue
{
    // Publishing, and what is written down afterwards.
    private long _publishedAt;

    private Task<Candidate> PublishAsync(Candidate candidate, CancellationToken overtaken = default) => PublishAsync(candidate, () => _host.PublishAsync(candidate.Snapshot!, overtaken));

    private async Task<Candidate> PublishAsync(Candidate candidate, Func<Task<IReadOnlyList<ConfigError>>> publish)
    {
        (SideListener.Change? change, ConfigError? error) = await _sideListener.PrepareAsync(candidate.Config!.Metrics.Listener);
        if (error is not null) return candidate with { Errors = [error] };
        FaultPoint.Pass("publish.before");
        IReadOnlyList<ConfigError> errors;
        try
        {
            errors = await publish();
        }
        catch (OperationCanceledException)
        {
            await SideListener.AbandonAsync(change);
            throw;
        }
        _publishedAt = _time.GetTimestamp();
        FaultPoint.Pass("publish.after");
        if (errors.Count > 0)
        {
            await SideListener.AbandonAsync(change);
            return candidate with { Errors = errors };
        }
        await _sideListener.CommitAsync(change);
        // The data plane may have compiled it once more.
        _kept.Published(candidate with { Snapshot = _host.Current });
        return candidate;
    }

    /// <summary>What follows a publish: the record, the pointer, the metric. Returns the candidate with the warnings that came with that.</summary>
    private Candidate Publicize(Candidate candidate, ChangeOrigin origin, long start, long? target, string? detail, bool stored, long? bundle = null, long? fleet = null)
    {
        List<ConfigError> warnings = [.. candidate.Warnings];
        ConfigDocument document = candidate.Document;
        long sequence = 0;
        DateTimeOffset now = _time.GetUtcNow();
        if (stored)
        {
            sequence = _ledger.Record(new HistoryRecord
            {
                Time = now,
                Version = candidate.Version,
                Digest = document.Digest,
                Format = document.FormatName,
                Source = origin.Source,
                Actor = origin.Actor,
                Result = HistoryRecord.Applied,
                DurationMs = _time.GetElapsedTime(start).TotalMilliseconds,
                Detail = detail,
                FileDigest = FileDigest,
                Target = target,
                BundleSequence = bundle,
                FleetSequence = fleet,
                Layers = Recorded(LayersOf(document, origin, now), document, origin),
            }, candidate.Config!.History.Keep, warnings);
        }
        SetLive(candidate, origin, now, sequence, warnings, stored, fleet);
        return candidate with { Warnings = warnings };
    }

    private void SetLive(Candidate candidate, ChangeOrigin origin, DateTimeOffset at, long sequence, IReadOnlyList<ConfigError> warnings, bool stored, long? fleet = null)
    {
        ConfigDocument document = candidate.Document;
        Volatile.Write(ref _live, new LiveConfiguration(candidate.Version!, document.Digest, document.Format, origin, at, sequence, warnings, stored ? null : document.Content.ToArray()) { FleetSequence = fleet, Layers = LayersOf(document, origin, at).Kept(stored) });
        _ledger.Live(candidate.Version!, origin.Source);
        Published?.Invoke();
    }

    private ApplyResult Rejected(Candidate candidate, ApplyRequest request, long start)
    {
        if (request.DryRun) return Result(ApplyOutcome.Rejected, candidate, start);
        _ = _ledger.Record(new HistoryRecord
        {
            Time = _time.GetUtcNow(),
            Version = candidate.Version,
            Format = candidate.Document.FormatName,
            Source = request.Origin.Source,
            Actor = request.Origin.Actor,
            Result = HistoryRecord.Rejected,
            DurationMs = _time.GetElapsedTime(start).TotalMilliseconds,
            Detail = ApplyLedger.Summary(candidate.Errors),
        }, _host.Current?.Config.History.Keep ?? int.MaxValue, []);
        return Ended(ApplyOutcome.Rejected, candidate, "apply", request.Origin, start);
    }

    private ApplyResult Noted(ApplyOutcome outcome, Candidate candidate, ApplyRequest request, long start) =>
        request.DryRun ? Result(outcome, candidate, start) : Ended(outcome, candidate, "apply", request.Origin, start);

    private ApplyResult Ended(ApplyOutcome outcome, Candidate candidate, string action, ChangeOrigin origin, long start)
    {
        ApplyResult result = Result(outcome, candidate, start);
        _ledger.Note(action, origin, outcome, candidate.Version, ApplyLedger.Summary(candidate.Errors), result.Duration);
        return result;
    }

    private ApplyResult Result(ApplyOutcome outcome, Candidate candidate, long start) =>
        new(outcome, candidate.Version, Live?.Version, candidate.Errors, candidate.Warnings, _time.GetElapsedTime(start));
}
