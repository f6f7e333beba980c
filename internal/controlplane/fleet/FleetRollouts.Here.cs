using Gateway.Config;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Rollout;
using Npgsql;

namespace Gateway.ControlPlane.Fleet;

internal sealed partial class FleetRollouts
{
    // What the director asks, in the queue's jobs.
    /// <summary>An end is told at once, if that takes no longer; else by the next look at the fleet.</summary>
    private static readonly TimeSpan TellingPatience = TimeSpan.FromSeconds(2);

    public async Task<FleetBeginning> BeginAsync(RolloutRecord record, RolloutPlan plan, ApplyRequest request)
    {
        FleetStatus status = member.Status;
        if (!status.Connected) return Away(status.Error ?? "not connected");
        string[] others = [.. status.Replicas.Where(r => r.Name != replica && !r.IsAway).Select(static r => r.Name)];
        try
        {
            await using NpgsqlConnection connection = await database.OpenConnectionAsync();
            await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync();
            (long last, _, long bundle) = await store.LockHeadAsync(connection, CancellationToken.None);
            if (await store.RunningAsync(connection, CancellationToken.None) is { } running) return Refused(ApplyOutcome.RolloutRunning, "rollout_running", $"{running}; wait for its end, or end it first");
            if (member.LiveSequence != last) return Refused(ApplyOutcome.Behind, "behind", $"the fleet's change {last} has not come here yet, and a rollout is held against what the fleet wants; try again in a moment");
            if (request.Bundle?.Sequence <= bundle) return Refused(ApplyOutcome.Rejected, Gateway.Bundle.BundleRefusalCodes.StaleSequence, $"a bundle with sequence {bundle} was applied in the fleet already; sign it with a higher one");
            if (request.ByItself && await store.LastRolloutOfAsync(connection, record.Digest, record.BundleSequence, CancellationToken.None) is { HasFailed: true } failed)
                return Refused(ApplyOutcome.Rejected, "rollout_failed", $"rollout {failed.Id} of the fleet had this candidate, and it was {failed.State}: {failed.Reason}; what comes by itself is not tried again, a person may");
            SharedChange change = new(request.Document, record.Version, request.Origin, 1) { BundleSequence = request.Bundle?.Sequence, Envelope = request.Bundle?.Envelope ?? default, Detail = request.Detail };
            long id = await store.BeginRolloutAsync(connection, plan, change, [replica, .. others], CancellationToken.None);
            // Before the commit: from then on a part that nobody plays is taken for one that was lost.
            lock (_gate) _beginning = id;
            await transaction.CommitAsync();
            LogBegun(logger, id, record.Version, others.Length + 1, plan.Fleet == FleetRolloutMode.Together ? "together" : "one after another");
            return new FleetBeginning(id, others.Length + 1, null);
        }
        catch (Exception e) when (FleetMember.IsAway(e))
        {
            lock (_gate) _beginning = null;
            return Away(FleetMember.Reason(e));
        }
    }

    public void Began(RolloutRecord record, RolloutPlan plan, ApplyRequest request)
    {
        lock (_gate)
        {
            if (request.FleetRollout is { } id) (_mine, _told) = (new Part(id, record.Id, plan.Fleet == FleetRolloutMode.Together, 0, false), null);
            _beginning = null;
            // What was seen last is of now: it was begun in the store just before.
            _seenAt = time.GetTimestamp();
        }
    }

    // Its row is ended as that of one that was lost.
    public void NotBegun()
    {
        lock (_gate) _beginning = null;
    }

    public bool Holds(RolloutRecord record, bool isLastStage)
    {
        lock (_gate)
        {
            if (_mine is not { } mine || mine.Local != record.Id) return false;
            _mine = mine with { Passed = Math.Max(mine.Passed, record.StageIndex + 1), IsDone = mine.IsDone || isLastStage };
            // One after another goes through all stages at its own pace.
            return isLastStage || (mine.Together && !(_seen?.Id == mine.Id && _seen.PassedByAll > record.StageIndex));
        }
    }

    public string? OutOfSight(RolloutRecord record, TimeSpan patience)
    {
        lock (_gate)
        {
            if (_mine is not { } mine || mine.Local != record.Id || time.GetElapsedTime(_seenAt) <= patience) return null;
            return $"the fleet was out of sight for {DurationText.Format(patience)}, and may have taken the candidate back since; what was live serves alone until it is seen again";
        }
    }

    public async Task<bool> EndedAsync(RolloutRecord record)
    {
        Ending ending;
        lock (_gate)
        {
            if (_mine is not { } mine || mine.Local != record.Id) return true;
            _mine = null;
            // A promotion is written down with the change itself.
            if (record.State == RolloutState.Promoted) return true;
            _ended = ending = new Ending(mine.Id, record.State == RolloutState.Returned ? "returned" : "aborted", record.Reason ?? "", record.Retry);
        }
        if (!member.Status.Connected) return true;
        try
        {
            using CancellationTokenSource patience = new(TellingPatience, time);
            await using NpgsqlConnection connection = await database.OpenConnectionAsync(patience.Token);
            return await TellEndAsync(connection, ending, patience.Token) != "promoted";
        }
        catch (Exception e) when (FleetMember.IsAway(e))
        {
            return true;
        }
    }

    private async Task<string?> TellEndAsync(NpgsqlConnection connection, Ending ending, CancellationToken cancellationToken)
    {
        string? ended = await store.EndRolloutAsync(connection, ending.Id, replica, ending.State, ending.Reason, ending.Retry, cancellationToken);
        lock (_gate)
        {
            // Another one may have ended here meanwhile.
            if (_ended == ending) _ended = null;
        }
        return ended;
    }

    private static FleetBeginning Refused(ApplyOutcome outcome, string code, string message) => new(0, 0, (outcome, new ConfigError("", code, message)));

    private static FleetBeginning Away(string why) =>
        Refused(ApplyOutcome.FleetUnavailable, ApplyQueue.FleetUnavailable, $"the fleet's database cannot be reached ({why}), and a rollout goes through every replica. Nothing has changed. Try again when 'gatewayctl fleet' says connected.");
}
