using Gateway.Config;
using Gateway.ControlPlane.Rollout;

namespace Gateway.ControlPlane.Apply;

/// <summary>What the queue must know of a rollout: only one change is on its way at a time. Asked in the queue's jobs alone.</summary>
internal interface IRolloutInProgress
{
    /// <summary>Null when none runs.</summary>
    RolloutRecord? Running { get; }

    /// <summary>Takes the running rollout back; live stays what was live. Cannot fail here; false when the fleet made the candidate its own in the same moment.</summary>
    Task<bool> AbortAsync(ChangeOrigin origin, string reason);

    /// <summary>Ends the running rollout for a change of the fleet, which says nothing against the candidate, or is its promotion.</summary>
    Task YieldAsync(ChangeOrigin origin, string reason, bool isPromotion);
}

public sealed partial class ApplyQueue
{
    // The steps of a rollout: each is a job between which rollbacks, and whatever else is asked for, have their turn.
    internal IRolloutInProgress? Rollout { get; set; }

    /// <summary>How much of the past is kept, as the live document says.</summary>
    internal int HistoryKeep => _host.Current?.Config.History.Keep ?? int.MaxValue;

    /// <summary>Raised by the queue when a rollout has ended: what had to wait for it may come.</summary>
    public event Action? RolloutEnded;

    internal void RaiseRolloutEnded() => RolloutEnded?.Invoke();

    /// <summary>A document that passed every check and is on the disk; or how it ended.</summary>
    internal sealed record RolloutCandidate(ApplyRequest Request, ApplyResult? Ended, Candidate Candidate, long Start)
    {
        public GatewayConfig? Live { get; init; }
    }

    // Which rollback overtook the begin of a rollout, and of which version.
    private (CancellationToken By, string Version)? _takenBack;

    /// <summary>A rollout did not begin, for a rollback came first: that is what it takes back. Within a step.</summary>
    internal void TookBack(ApplyRequest request, string version) => _takenBack = (request.Overtaken, version);

    internal Task<T> StepAsync<T>(Func<Task<T>> step, CancellationToken cancellationToken) => EnqueueAsync(step, cancellationToken);

    /// <summary>All that an apply does before it publishes. Within a step.</summary>
    internal async Task<RolloutCandidate> CheckAsync(ApplyRequest request)
    {
        long start = _time.GetTimestamp();
        CheckedRequest check = await CheckOneAsync(request, start);
        return new RolloutCandidate(request, check.Ended, check.Candidate, start) { Live = _host.Current?.Config };
    }

    /// <summary>Writes down that nothing comes of it. Within a step.</summary>
    internal ApplyResult Refuse(RolloutCandidate checkedOne, ApplyOutcome outcome, IReadOnlyList<ConfigError> errors)
    {
        Candidate candidate = checkedOne.Candidate with { Errors = errors };
        return outcome == ApplyOutcome.Rejected ? Rejected(candidate, checkedOne.Request, checkedOne.Start) : Noted(outcome, candidate, checkedOne.Request, checkedOne.Start);
    }

    /// <summary>The answer for one that begins. Within a step.</summary>
    internal ApplyResult Begun(RolloutCandidate checkedOne) => Result(ApplyOutcome.RollingOut, checkedOne.Candidate, checkedOne.Start);

    /// <summary>Makes it live as an apply does, by <paramref name="publish"/>, and writes that down. Within a step.</summary>
    /// <param name="publish">Null for the ordinary way.</param>
    /// <param name="before">How the last try ended, which is written down already; null for none.</param>
    internal async Task<ApplyResult> PromoteAsync(RolloutCandidate checkedOne, string detail, Func<Task<IReadOnlyList<ConfigError>>>? publish, ApplyOutcome? before = null)
    {
        (ApplyRequest request, long start) = (checkedOne.Request, _time.GetTimestamp());
        string text = request.Bundle is { } bundle ? $"{bundle.Detail}, {detail}" : detail;
        (Candidate candidate, Sharing? shared) = await PublishAndShareAsync(checkedOne.Candidate, Change(checkedOne.Candidate, request, text) with { Ends = request.FleetRollout }, null, publish);
        if (candidate.IsBroken) return Rejected(candidate, request, start);
        if (Unshared(candidate, shared) is { } refusal) return refusal.Outcome == before ? Result(refusal.Outcome, refusal.Candidate, start) : Noted(refusal.Outcome, refusal.Candidate, request, start);
        // On the disk since before the first request; again, should anyone have removed it since.
        bool stored = _ledger.Save(candidate.Document) is null;
        candidate = Publicize(WithPending(candidate, shared), request.Origin, start, target: null, text, stored, request.Bundle?.Sequence, StampOf(shared));
        return Noted(ApplyOutcome.Applied, candidate, request, start);
    }

    /// <summary>Removes a document that never became live. Within a step.</summary>
    internal void Forget(ConfigDocument document) => _ledger.Discard(document);

    private async Task<ApplyResult> RollbackOfRolloutAsync(IRolloutInProgress rollout, RolloutRecord running, ChangeOrigin origin, long start)
    {
        if (!await rollout.AbortAsync(origin, $"rolled back by {origin.Actor}"))
        {
            ConfigError error = new("", ApplyResult.NameOf(ApplyOutcome.Behind), $"version {running.Version} was made the fleet's while it was being taken back, and comes here in a moment; roll back once more then");
            return Ended(ApplyOutcome.Behind, new Candidate(new ConfigDocument(default, DocumentFormat.Json)) { Version = Live?.Version, Errors = [error] }, "rollback", origin, start);
        }
        return OfRollout(running.Version, origin, start);
    }

    private ApplyResult OfRollout(string version, ChangeOrigin origin, long start)
    {
        Candidate live = new(new ConfigDocument(default, DocumentFormat.Json)) { Version = Live?.Version };
        return Ended(ApplyOutcome.Applied, live, "rollback", origin, start) with { From = version };
    }

    private ApplyResult RolloutRuns(ApplyRequest request, RolloutRecord running, long start)
    {
        string message = $"rollout {running.Id} ('{running.Rollout}', version {running.Version[..12]}) is {RolloutText.Name(running.State)}; wait for its end (gatewayctl rollout watch {running.Id}), "
            + $"or end it first: gatewayctl rollout promote {running.Id}, or gatewayctl rollout abort {running.Id} (POST /admin/rollouts/{running.Id}/abort)";
        Candidate candidate = Broken(request, ApplyResult.NameOf(ApplyOutcome.RolloutRunning), message);
        // The file's turn comes when the rollout has ended; it asks every few seconds, which is nothing to write down.
        return request.Origin.Source == "file" ? Result(ApplyOutcome.RolloutRunning, candidate, start) : Noted(ApplyOutcome.RolloutRunning, candidate, request, start);
    }
}
