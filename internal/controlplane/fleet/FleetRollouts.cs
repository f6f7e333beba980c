using Gateway.Config;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Rollout;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Gateway.ControlPlane.Fleet;

/// <summary>
/// A rollout through the replicas: one after another takes the candidate through the stages of its own canary, judged by its own requests;
/// one that has passed keeps it at the last share, watched on, until all have. Then the candidate is the fleet's change, for all at once.
/// The first replica that returns it, or goes away with it, ends it for all: what the fleet wants was never another version. Nobody leads:
/// each does its own part by what the shared store says, which has one row for the rollout and one for each part.
/// </summary>
internal sealed partial class FleetRollouts(FleetMember member, FleetStore store, RolloutDirector director, NpgsqlDataSource database, string replica, TimeProvider time, ILogger logger) : IFleetRollouts
{
    /// <summary>After the database was away, the others have so long to say that they are there.</summary>
    private static readonly TimeSpan Settling = ReplicaStatus.AwayAfter + TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private Part? _mine;
    private long? _beginning;
    private (long Id, string State, string Reason)? _ended;
    private long _connectedAt = time.GetTimestamp();

    /// <summary>This replica's part of a rollout.</summary>
    /// <param name="Local">The id of its own rollout.</param>
    private sealed record Part(long Id, string Local, bool Passed);

    /// <summary>The database answers again.</summary>
    public void Connected() => _connectedAt = time.GetTimestamp();

    // 1. In the queue's jobs, of the director.
    public async Task<(ApplyOutcome Outcome, ConfigError Error)?> BeginAsync(RolloutRecord record, ApplyRequest request)
    {
        FleetStatus status = member.Status;
        if (!status.Connected) return Away(status.Error ?? "not connected");
        string[] others = [.. status.Replicas.Where(r => r.Name != replica && !r.IsAway).Select(static r => r.Name)];
        // By itself it is as any gateway's; its end is the fleet's change.
        if (others.Length == 0) return null;
        try
        {
            await using NpgsqlConnection connection = await database.OpenConnectionAsync();
            await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync();
            (long last, _, long bundle) = await store.LockHeadAsync(connection, CancellationToken.None);
            if (await store.RunningAsync(connection, CancellationToken.None) is { } running) return (ApplyOutcome.RolloutRunning, new ConfigError("", "rollout_running", $"{running}; wait for its end, or end it first"));
            if (member.LiveSequence != last) return (ApplyOutcome.Stale, new ConfigError("", "behind", $"change {last} of the fleet has not come here yet; try again"));
            if (request.Bundle?.Sequence <= bundle) return (ApplyOutcome.Rejected, new ConfigError("", Gateway.Bundle.BundleRefusalCodes.StaleSequence, $"a bundle with sequence {bundle} was applied in the fleet already; sign it with a higher one"));
            SharedChange change = new(request.Document, record.Version, request.Origin, 1) { BundleSequence = request.Bundle?.Sequence, Detail = request.Detail };
            long id = await store.BeginRolloutAsync(connection, record.Rollout, change, [replica, .. others], CancellationToken.None);
            // Before the commit: from then on a part that nobody plays is taken for one that was lost.
            lock (_gate) _beginning = id;
            await transaction.CommitAsync();
            LogBegun(logger, id, record.Version, others.Length + 1);
            return null;
        }
        catch (Exception e) when (FleetMember.IsAway(e))
        {
            lock (_gate) _beginning = null;
            return Away(FleetMember.Reason(e));
        }
    }

    public void Began(RolloutRecord record, ApplyRequest request)
    {
        lock (_gate)
        {
            if ((request.FleetRollout ?? _beginning) is { } id) _mine = new Part(id, record.Id, false);
            _beginning = null;
        }
    }

    // Its row is ended as that of one that was lost.
    public void NotBegun()
    {
        lock (_gate) _beginning = null;
    }

    public bool Holds(RolloutRecord record)
    {
        lock (_gate)
        {
            if (_mine is not { } mine || mine.Local != record.Id) return false;
            _mine = mine with { Passed = true };
            return true;
        }
    }

    public void Ended(RolloutRecord record)
    {
        lock (_gate)
        {
            if (_mine is not { } mine || mine.Local != record.Id) return;
            _mine = null;
            // A promotion is written down with the change itself.
            if (record.State != RolloutState.Promoted) _ended = (mine.Id, record.State == RolloutState.Returned ? "returned" : "aborted", record.Reason ?? "");
        }
    }

    // 2. In the member's loop: what was done here is told, and what the shared store says is done.
    public async Task<FleetRolloutStatus?> StepAsync(NpgsqlConnection connection, IReadOnlyList<ReplicaStatus> replicas, CancellationToken cancellationToken)
    {
        if (_ended is { } ended)
        {
            await store.EndRolloutAsync(connection, ended.Id, replica, ended.State, ended.Reason, cancellationToken);
            lock (_gate) _ended = null;
        }
        FleetRolloutStatus? rollout = await store.RolloutAsync(connection, cancellationToken);
        (Part? mine, bool beginning) = Mine();
        if (mine is not null && (rollout?.Id != mine.Id || !rollout.Runs))
        {
            // Promoted: the change comes on its own way, and the candidate gives way to itself.
            if (rollout?.Id != mine.Id || rollout.State != "promoted")
                _ = await director.ActAsync(mine.Local, RolloutAction.Abort, new ChangeOrigin("rollout", $"the fleet ({rollout?.Reason ?? "it does not know of it"})", ""), cancellationToken);
            return rollout;
        }
        if (rollout is not { Runs: true } || beginning || await LostAsync(connection, rollout, mine, replicas, cancellationToken)) return rollout;
        FleetRolloutPart? part = rollout.Replicas.FirstOrDefault(p => p.Replica == replica);
        if (mine is { Passed: true } && part is { State: "running" })
        {
            await store.PartAsync(connection, rollout.Id, replica, "passed", null, cancellationToken);
            rollout = (await store.RolloutAsync(connection, cancellationToken))!;
        }
        if (mine is null && part is { State: "waiting" } && rollout.Replicas.TakeWhile(p => p != part).All(IsDone)) await PlayAsync(connection, rollout.Id, cancellationToken);
        // The last one that passed makes it the fleet's, for all.
        else if (mine is not null && rollout.Replicas.All(IsDone) && rollout.Replicas.Last(static p => p.State == "passed").Replica == replica)
            _ = await director.ActAsync(mine.Local, RolloutAction.Promote, new ChangeOrigin("rollout", "the fleet", ""), cancellationToken);
        return rollout;
    }

    private static bool IsDone(FleetRolloutPart part) => part.State is "passed" or "skipped";

    private (Part? Mine, bool Beginning) Mine()
    {
        lock (_gate) return (_mine, _beginning is not null);
    }

    private async Task PlayAsync(NpgsqlConnection connection, long id, CancellationToken cancellationToken)
    {
        if (await store.RolloutRequestAsync(connection, id, cancellationToken) is not { } request) return;
        RolloutStart started = await director.StartAsync(request, cancellationToken);
        LogPlays(logger, id, started.Record?.Id ?? "-");
        if (started.Record is { IsEnded: false }) await store.PartAsync(connection, id, replica, "running", null, cancellationToken);
        else if (started.Result is { Outcome: ApplyOutcome.Unchanged }) await store.PartAsync(connection, id, replica, "skipped", "it serves that version", cancellationToken);
        else await store.EndRolloutAsync(connection, id, replica, "returned", ApplyLedger.Summary(started.Result?.Errors ?? []) ?? started.Record?.Reason ?? "it could not begin", cancellationToken);
    }

    // A replica that goes away takes its evidence with it; one whose turn has not come can follow later.
    private async Task<bool> LostAsync(NpgsqlConnection connection, FleetRolloutStatus rollout, Part? mine, IReadOnlyList<ReplicaStatus> replicas, CancellationToken cancellationToken)
    {
        foreach (FleetRolloutPart part in rollout.Replicas)
        {
            bool plays = part.State is "running" or "passed";
            if (part.Replica == replica)
            {
                if (!plays || mine is not null || Mine().Mine is not null) continue;
                await store.EndRolloutAsync(connection, rollout.Id, replica, "aborted", "it was restarted, or could not begin", cancellationToken);
                return true;
            }
            if (replicas.FirstOrDefault(r => r.Name == part.Replica) is { IsAway: false } || time.GetElapsedTime(_connectedAt) < Settling) continue;
            if (plays)
            {
                await store.EndRolloutAsync(connection, rollout.Id, part.Replica, "aborted", "it went away with the candidate", cancellationToken);
                return true;
            }
            if (part.State == "waiting") await store.PartAsync(connection, rollout.Id, part.Replica, "skipped", "away", cancellationToken);
        }
        return false;
    }

    private static (ApplyOutcome, ConfigError) Away(string why) =>
        (ApplyOutcome.FleetUnavailable, new ConfigError("", ApplyQueue.FleetUnavailable, $"the fleet's database cannot be reached ({why}), and a rollout goes through every replica. Nothing has changed. Try again when 'gatewayctl fleet' says connected."));

    [LoggerMessage(1610, LogLevel.Information, "rollout {Id} of the fleet begins here: version {Version}, {Replicas} replicas one after another")]
    private static partial void LogBegun(ILogger logger, long id, string version, int replicas);

    [LoggerMessage(1611, LogLevel.Information, "rollout {Id} of the fleet: this replica's turn, its own rollout is {Local}")]
    private static partial void LogPlays(ILogger logger, long id, string local);
}
