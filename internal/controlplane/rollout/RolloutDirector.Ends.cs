using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Store;

namespace Gateway.ControlPlane.Rollout;

public sealed partial class RolloutDirector
{
    // How a rollout ends, each within one job of the queue.
    private async Task<ApplyResult> PromoteAsync(Current current, string reason, ChangeOrigin by)
    {
        RolloutRecord record = LastLook();
        ApplyResult result = await _queue.PromoteAsync(current.Candidate, Detail(record), _canary.PromoteAsync, current.Waits);
        if (result.Outcome == ApplyOutcome.Rejected) _ = await EndAsync(current, RolloutState.Returned, $"it could not be made live: {ApplyLedger.Summary(result.Errors)}", null, by);
        // What ended it is the fleet's record of the candidate.
        else if (result.Outcome == ApplyOutcome.RolloutEnded) _ = await EndAsync(current, RolloutState.Aborted, ApplyLedger.Summary(result.Errors)!, null, by, retry: true);
        else if (!result.IsGood)
        {
            // No fault of the candidate's: it stays at its share, watched, and the next look tries again.
            current.Waits = result.Outcome;
            record = record with { Reason = $"waits to be made live: {ApplyLedger.Summary(result.Errors) ?? result.ResultName}" };
            Show(record, current.Run.Left);
            Events.Tell("tick", record, current.Run.Left);
        }
        if (!result.IsGood) return result;
        _metrics.Stage(RolloutStages.Canary, "passed");
        _metrics.Stage(RolloutStages.Full, "passed");
        await CloseAsync(record with { State = RolloutState.Promoted, Stage = RolloutStages.Full, Percent = 100, EndedAt = _time.GetUtcNow(), Reason = reason }, by);
        return result;
    }

    // The candidate comes as the fleet's change the next moment.
    private async Task PromotedElsewhereAsync(string reason, ChangeOrigin by)
    {
        RolloutRecord record = LastLook();
        await _canary.EndAsync();
        _metrics.Stage(RolloutStages.Canary, "passed");
        await CloseAsync(record with { State = RolloutState.Promoted, Stage = RolloutStages.Full, Percent = 100, EndedAt = _time.GetUtcNow(), Reason = reason }, by);
    }

    // Live is live all along: what can fail here is what is written down.
    private async Task<RolloutRecord> EndAsync(Current current, RolloutState state, string reason, RolloutEvidence? evidence, ChangeOrigin by, bool retry = false)
    {
        RolloutRecord record = evidence is null ? LastLook() : _view!.Record;
        await _canary.EndAsync();
        _metrics.Stage(RolloutStages.Canary, state == RolloutState.Returned ? "failed" : "aborted");
        _queue.Metrics.RolledBack(RolloutText.Name(state));
        record = record with { State = state, Percent = 0, EndedAt = _time.GetUtcNow(), Reason = reason, Evidence = evidence, Retry = retry };
        _queue.Forget(current.Candidate.Candidate.Document);
        await CloseAsync(record, by);
        return record;
    }

    private async Task CloseAsync(RolloutRecord record, ChangeOrigin by)
    {
        _current = null;
        TrySave(record);
        Show(record, null);
        Audit(by, by == Itself ? "rollout" : record.State == RolloutState.Aborted ? "rollout_abort" : "rollout_promote", record, $"rollout {record.Id}: {record.Reason}");
        if (record.State == RolloutState.Promoted) LogPromoted(_logger, record.Id, record.Version, record.Reason!);
        else LogTakenBack(_logger, record.Id, RolloutText.Name(record.State), record.Version, record.Reason!);
        Events.Tell("state", record);
        _overtaken = Fleet is not null && !await Fleet.EndedAsync(record);
        _queue.RaiseRolloutEnded();
    }

    private async Task TakeBackAsync(Current current)
    {
        const string Reason = "the gateway failed while it watched it; its log says more";
        try
        {
            if (_current == current) _ = await EndAsync(current, RolloutState.Aborted, Reason, null, Itself, retry: true);
        }
        catch (Exception e)
        {
            LogFault(_logger, e);
            await _canary.EndAsync();
            _current = null;
            RolloutRecord record = _view!.Record.IsEnded ? _view.Record : _view.Record with { State = RolloutState.Aborted, Percent = 0, EndedAt = _time.GetUtcNow(), Reason = Reason, Retry = true };
            Show(record, null);
            if (Fleet is not null) _ = await Fleet.EndedAsync(record);
        }
    }
}
