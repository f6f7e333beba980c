using Gateway.Bundle;
using Gateway.Config;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Store;
using Microsoft.Extensions.Logging;

namespace Gateway.ControlPlane.Rollout;

public sealed partial class RolloutDirector
{
    // The steps, each within one job of the queue.
    private async Task<RolloutStart> StartOneAsync(ApplyRequest request)
    {
        // Nobody would watch it.
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _disposed), this);
        long start = _time.GetTimestamp();
        try
        {
            return await StartOneAsync(request, await _queue.CheckAsync(request));
        }
        catch (OperationCanceledException) when (request.Overtaken.IsCancellationRequested)
        {
            return new RolloutStart(null, _queue.GiveWay(request, start));
        }
    }

    private async Task<RolloutStart> StartOneAsync(ApplyRequest request, ApplyQueue.RolloutCandidate check)
    {
        if (check.Ended is { } ended) return new RolloutStart(Refused(check, ended), ended);
        _metrics.Checks(null);
        RolloutPlan plan = RolloutPlan.Of(request.Rollout!, check.Candidate.Config!, check.Live);
        // There is nothing to compare the first one with.
        if (plan.Stages.Count == 0 || check.Live is null) return await AtOnceAsync(check, plan);
        try
        {
            return await BeginAsync(check, plan);
        }
        finally
        {
            if (_current is null) Fleet?.NotBegun();
        }
    }

    // What was wrong with the request itself, or with its time, says nothing of the candidate.
    private RolloutRecord? Refused(ApplyQueue.RolloutCandidate check, ApplyResult ended)
    {
        if (check.Request.DryRun || ended.Outcome != ApplyOutcome.Rejected || ended.Errors is [{ Code: BundleRefusalCodes.StaleSequence or "unknown_rollout" }, ..]) return null;
        if (ended.Version is null && check.Request.Bundle is null) return null;
        string stage = RolloutText.CheckOf(ended.Errors);
        _metrics.Checks(stage);
        return Closed(check, new RolloutPlan(check.Request.Rollout!, [], "", new RolloutGatesConfig(), default, default, default, null), stage, ended.Errors);
    }

    private async Task<RolloutStart> AtOnceAsync(ApplyQueue.RolloutCandidate check, RolloutPlan plan)
    {
        RolloutRecord record = Record(check, plan) with { State = RolloutState.Promoted, Stage = RolloutStages.Full, Percent = 100, Reason = check.Live is null ? "nothing was live before" : "the rollout has no stages" };
        ApplyResult result = await _queue.PromoteAsync(check, Detail(record), publish: null);
        _metrics.Stage(RolloutStages.Full, result.IsGood ? "passed" : "failed");
        if (!result.IsGood) return new RolloutStart(Closed(check, plan, RolloutStages.Full, result.Errors), result);
        record = record with { EndedAt = _time.GetUtcNow() };
        TrySave(record);
        Events.Tell("state", record);
        return new RolloutStart(record, result);
    }

    private async Task<RolloutStart> BeginAsync(ApplyQueue.RolloutCandidate check, RolloutPlan plan)
    {
        // The bytes were lent until the answer; a rollout goes on after it.
        ConfigDocument document = check.Candidate.Document.Kept();
        RolloutRecord record = Record(check, plan) with { Percent = plan.Stages[0].Percent };
        check = check with { Request = check.Request with { Document = document }, Candidate = check.Candidate with { Document = document } };
        if (check.Request.FleetRollout is null && Fleet is not null)
        {
            FleetBeginning beginning = await Fleet.BeginAsync(record, plan, check.Request);
            if (beginning.Refusal is { } refusal)
            {
                _queue.Forget(document);
                return new RolloutStart(null, _queue.Refuse(check, refusal.Outcome, [refusal.Error]));
            }
            check = check with { Request = check.Request with { FleetRollout = beginning.Id, Judges = beginning.Judges } };
        }
        plan = plan.Among(check.Request.Judges);
        try
        {
            _store.Save(record, Keep);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _queue.Forget(document);
            return new RolloutStart(null, _queue.Refuse(check, ApplyOutcome.Failed, [new ConfigError("", ApplyLedger.StoreFailed, $"the rollout cannot be stored, so it was not begun: {e.Message}")]));
        }
        IReadOnlyList<ConfigError> errors;
        try
        {
            errors = await _canary.BeginAsync(check.Candidate.Snapshot!, plan, check.Request.Overtaken);
        }
        catch (OperationCanceledException) when (check.Request.Overtaken.IsCancellationRequested)
        {
            TrySave(record with { State = RolloutState.Aborted, Percent = 0, EndedAt = _time.GetUtcNow(), Reason = "a rollback came before it had begun", Retry = true });
            _queue.Forget(document);
            _queue.TookBack(check.Request, record.Version);
            throw;
        }
        catch (Exception)
        {
            TrySave(record with { State = RolloutState.Aborted, Percent = 0, EndedAt = _time.GetUtcNow(), Reason = "the gateway could not begin it; its log says more", Retry = true });
            _queue.Forget(document);
            throw;
        }
        if (errors.Count > 0)
        {
            _metrics.Stage(RolloutStages.Canary, "failed");
            _queue.Forget(document);
            RolloutRecord closed = record with { State = RolloutState.Refused, Percent = 0, EndedAt = _time.GetUtcNow(), Reason = ApplyLedger.Summary(errors) };
            TrySave(closed);
            return new RolloutStart(closed, _queue.Refuse(check, ApplyOutcome.Rejected, errors));
        }
        Current current = new(check, plan, new RolloutRun(plan, Now));
        _current = current;
        Show(record, current.Run.Left);
        Audit(check.Request.Origin, "rollout", record, $"rollout {record.Id} ('{plan.Name}') begins at {RolloutText.Percent(record.Percent)}{(plan.Note is null ? "" : $"; {plan.Note}")}");
        LogBegins(_logger, record.Id, plan.Name, record.Version, record.Percent);
        Events.Tell("state", record, current.Run.Left);
        Fleet?.Began(record, plan, check.Request);
        _ = _begun.Release();
        return new RolloutStart(record, _queue.Begun(check));
    }

    // Whatever fails in a look: nothing is served that nobody watches.
    private async Task<bool> TickOneAsync()
    {
        if (_current is not { } current) return false;
        try
        {
            return await LookAsync(current);
        }
        catch (Exception e)
        {
            LogFault(_logger, e);
            await TakeBackAsync(current);
            return false;
        }
    }

    private async Task<bool> LookAsync(Current current)
    {
        if (Fleet?.OutOfSight(_view!.Record, current.Plan.HoldTimeout) is { } unseen)
        {
            await EndAsync(current, RolloutState.Aborted, unseen, null, Itself, retry: true);
            return false;
        }
        CanaryLook look;
        try
        {
            look = _canary.Look();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // A defect of ours. Nothing is served that nobody watches.
            LogBlind(_logger, e);
            await EndAsync(current, RolloutState.Aborted, "the gateway could not watch it; its log says more", null, Itself, retry: true);
            return false;
        }
        RolloutMove move = current.Run.Look(Now, look);
        RolloutRecord record = Seen(look) with { Reason = current.Run.WaitsFor };
        Show(record, current.Run.Left);
        switch (move)
        {
            case RolloutMove.Return:
                await EndAsync(current, RolloutState.Returned, look.Worse?.Reason ?? $"no traffic to judge by: {current.Run.WaitsFor} came in {DurationText.Format(current.Plan.Gates.MaxTime)}", look.Worse, Itself);
                break;
            case RolloutMove.Next or RolloutMove.Promote when Fleet?.Holds(record, move == RolloutMove.Promote) == true:
                record = record with { Reason = "passed here, waits for the other replicas of the fleet" };
                Show(record, current.Run.Left);
                Events.Tell("tick", record, current.Run.Left);
                break;
            case RolloutMove.Next:
                Next(current);
                break;
            case RolloutMove.Promote:
                _ = await PromoteAsync(current, current.Run.WaitsFor is null ? "every stage passed" : "there was no traffic to judge by, and onNoTraffic says promote", Itself);
                break;
            default:
                Events.Tell("tick", record, current.Run.Left);
                break;
        }
        return true;
    }

    private void Next(Current current)
    {
        _metrics.Stage(RolloutStages.Canary, "passed");
        current.Run.Advance();
        RolloutRecord record = _view!.Record with { StageIndex = current.Run.StageIndex, Percent = current.Run.Stage.Percent, Reason = null };
        // First on the disk: a share that is served is a share that is known of.
        TrySave(record);
        _canary.SetShare(record.Percent);
        Show(record, current.Run.Left);
        LogStage(_logger, record.Id, record.Percent);
        Events.Tell("stage", record, current.Run.Left);
    }

    private async Task<RolloutAnswer> ActOneAsync(string id, RolloutAction action, ChangeOrigin origin)
    {
        if (_current is not { } current || _view!.Record.Id != id) return new RolloutAnswer(_store.Find(id), IsEnded: true, null);
        switch (action)
        {
            case RolloutAction.Abort:
                return new RolloutAnswer(await EndAsync(current, RolloutState.Aborted, $"aborted by {origin.Actor}", null, origin), false, null);
            case RolloutAction.Promote:
                ApplyResult promoted = await PromoteAsync(current, $"promoted by {origin.Actor}", origin);
                return new RolloutAnswer(_store.Find(id), false, promoted.IsGood ? null : promoted);
            default:
                bool pause = action == RolloutAction.Pause;
                if (pause == current.Run.IsPaused) return new RolloutAnswer(_view.Record, false, null);
                if (pause) current.Run.Pause(Now);
                else current.Run.Resume(Now);
                RolloutRecord record = _view.Record with { State = pause ? RolloutState.Paused : RolloutState.Running };
                TrySave(record);
                Show(record, current.Run.Left);
                Audit(origin, pause ? "rollout_pause" : "rollout_resume", record, $"rollout {id} at {RolloutText.Percent(record.Percent)}");
                Events.Tell("state", record, current.Run.Left);
                return new RolloutAnswer(record, false, null);
        }
    }
}
