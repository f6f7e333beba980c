using Gateway.Config;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Store;
using Microsoft.Extensions.Logging;

namespace Gateway.ControlPlane.Rollout;

public sealed partial class RolloutDirector
{
    // What is written down of a rollout, and where.
    private int Keep => _queue.HistoryKeep;

    private RolloutRecord Record(ApplyQueue.RolloutCandidate check, RolloutPlan plan) => new()
    {
        Id = _store.NextId(),
        Rollout = plan.Name,
        Version = check.Candidate.Version ?? check.Request.Document.Digest,
        Digest = check.Request.Document.Digest,
        BundleSequence = check.Request.Bundle?.Sequence,
        From = _queue.Live?.Version,
        Source = check.Request.Origin.Source,
        Actor = check.Request.Origin.Actor,
        State = RolloutState.Running,
        Stage = RolloutStages.Canary,
        Stages = plan.Stages,
        StartedAt = _time.GetUtcNow(),
        Note = plan.Note,
    };

    /// <summary>A rollout that ended before a request got the candidate.</summary>
    private RolloutRecord Closed(ApplyQueue.RolloutCandidate check, RolloutPlan plan, string stage, IReadOnlyList<ConfigError> errors)
    {
        RolloutRecord record = Record(check, plan);
        record = record with { State = RolloutState.Refused, Stage = stage, EndedAt = record.StartedAt, Reason = ApplyLedger.Summary(errors) };
        TrySave(record);
        Events.Tell("state", record);
        return record;
    }

    private static string Detail(RolloutRecord record) => $"rollout {record.Id} ('{record.Rollout}')";

    private RolloutRecord Seen(CanaryLook look) => _view!.Record with { Traffic = [.. look.Traffic.OrderByDescending(static r => r.Candidate.Requests).ThenByDescending(static r => r.Live.Requests).Take(MostRoutes)] };

    // The counts as they are at the end; that they cannot be had holds no end up.
    private RolloutRecord LastLook()
    {
        try
        {
            return Seen(_canary.Look());
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            LogBlind(_logger, e);
            return _view!.Record;
        }
    }

    private void Show(RolloutRecord record, TimeSpan? left)
    {
        Volatile.Write(ref _view, new View(record, record.IsEnded ? null : left));
        _metrics.Share(record.IsEnded ? 0 : record.Percent);
    }

    private void TrySave(RolloutRecord record)
    {
        try
        {
            _store.Save(record, Keep);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogStoreFailed(_logger, e, "a rollout");
        }
    }

    private void Audit(ChangeOrigin origin, string action, RolloutRecord record, string detail)
    {
        try
        {
            _audit.Append(new AuditEntry(_time.GetUtcNow(), origin.Actor, origin.From, action, origin.Source, record.Version, RolloutText.Name(record.State), detail));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogStoreFailed(_logger, e, "the audit log");
        }
    }

    [LoggerMessage(1500, LogLevel.Information, "rollout {Id} ('{Name}') begins: version {Version} gets {Percent}% of requests")]
    private static partial void LogBegins(ILogger logger, string id, string name, string version, double percent);

    [LoggerMessage(1501, LogLevel.Information, "rollout {Id}: the candidate gets {Percent}% of requests")]
    private static partial void LogStage(ILogger logger, string id, double percent);

    [LoggerMessage(1502, LogLevel.Information, "rollout {Id} promoted, version {Version} is live: {Reason}")]
    private static partial void LogPromoted(ILogger logger, string id, string version, string reason);

    [LoggerMessage(1503, LogLevel.Warning, "rollout {Id} {State}, version {Version} was taken back and what was live is live: {Reason}")]
    private static partial void LogTakenBack(ILogger logger, string id, string state, string version, string reason);

    [LoggerMessage(1504, LogLevel.Error, "cannot write {What} to the data folder")]
    private static partial void LogStoreFailed(ILogger logger, Exception exception, string what);

    [LoggerMessage(1505, LogLevel.Error, "the counts of a rollout cannot be read")]
    private static partial void LogBlind(ILogger logger, Exception exception);

    [LoggerMessage(1507, LogLevel.Error, "watching a rollout failed inside the gateway; its candidate is taken back")]
    private static partial void LogFault(ILogger logger, Exception exception);

    [LoggerMessage(1506, LogLevel.Warning, "{Note}")]
    private static partial void LogNote(ILogger logger, string note);
}
