using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Rollout;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Gateway.ControlPlane.Fleet;

/// <summary>
/// A rollout through the replicas: each takes the candidate through the stages of its own canary, judged by its own requests, one after
/// another or all together stage by stage; one that has passed keeps it at the last share, watched on, until all have. Then the candidate is
/// the fleet's change, for all at once. The first replica that returns it, or goes away with it, ends it for all: what the fleet wants was
/// never another version. Nobody leads: each does its own part by what the shared store says, which has one row for the rollout and one for
/// each part.
/// </summary>
internal sealed partial class FleetRollouts(FleetMember member, FleetStore store, RolloutDirector director, NpgsqlDataSource database, string replica, TimeProvider time, ILogger logger) : IFleetRollouts
{
    // What the member's loop does: what was done here is told, and what the shared store says is done.
    /// <summary>After the database was away, the others have so long to say that they are there.</summary>
    private static readonly TimeSpan Settling = ReplicaStatus.AwayAfter + TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private Part? _mine;
    private long? _beginning;
    private Ending? _ended;
    private FleetRolloutStatus? _seen;
    private long _seenAt = time.GetTimestamp(), _connectedAt = time.GetTimestamp();

    // What the others were told of this replica's part.
    private RolloutPart? _told;

    /// <summary>This replica's part of a rollout.</summary>
    /// <param name="Local">The id of its own rollout.</param>
    /// <param name="Passed">Stages that the candidate has passed here.</param>
    /// <param name="IsDone">All of them.</param>
    /// <param name="IsDue">The fleet made it its own, and it gives way to that with the next look.</param>
    private sealed record Part(long Id, string Local, bool Together, int Passed, bool IsDone, bool IsDue = false);

    /// <summary>What the fleet is to be told of the end of this replica's part.</summary>
    private sealed record Ending(long Id, string State, string Reason, bool Retry);

    /// <summary>The database answers again.</summary>
    public void Connected() => _connectedAt = time.GetTimestamp();

    public async Task<FleetRolloutStatus?> StepAsync(NpgsqlConnection connection, IReadOnlyList<ReplicaStatus> replicas, CancellationToken cancellationToken)
    {
        Ending? ended;
        lock (_gate) ended = _ended;
        if (ended is not null) await TellEndAsync(connection, ended, cancellationToken);
        FleetRolloutStatus? rollout = await LookAsync(connection, cancellationToken);
        (Part? mine, bool beginning) = Mine();
        if (mine is not null && (rollout?.Id != mine.Id || !rollout.Runs))
        {
            await EndMineAsync(mine, rollout, cancellationToken);
            return rollout;
        }
        if (rollout is not { Runs: true } || beginning) return rollout;
        if (await LostAsync(connection, rollout, mine, replicas, cancellationToken)) return await LookAsync(connection, cancellationToken);
        if (mine is not null)
        {
            await HeedPauseAsync(mine, rollout, cancellationToken);
            if (await ReportAsync(connection, mine, rollout, cancellationToken)) rollout = See((await store.RolloutAsync(connection, cancellationToken))!);
        }
        RolloutPart? part = rollout!.Replicas.FirstOrDefault(p => p.Replica == replica);
        if (mine is null && part is { State: "waiting" } && !rollout.Paused && (rollout.Together || rollout.Replicas.TakeWhile(p => p != part).All(static p => p.IsDone))) await PlayAsync(connection, rollout, part, cancellationToken);
        // The last one that passed makes it the fleet's, for all; the first one that has it, when somebody wants that now.
        else if (mine is not null && rollout is { Paused: false, Promote: null } && rollout.Replicas.All(static p => p.IsDone) && rollout.Replicas.LastOrDefault(static p => p.Plays)?.Replica == replica)
            _ = await director.ActHereAsync(mine.Local, RolloutAction.Promote, new ChangeOrigin("rollout", "the fleet", ""), cancellationToken);
        else if (mine is not null && rollout.Promote is { } by && rollout.Replicas.FirstOrDefault(static p => p.Plays)?.Replica == replica)
            _ = await director.ActHereAsync(mine.Local, RolloutAction.Promote, new ChangeOrigin("rollout", by, ""), cancellationToken);
        return rollout;
    }

    private async Task<FleetRolloutStatus?> LookAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        FleetRolloutStatus? rollout = await store.RolloutAsync(connection, cancellationToken), before;
        lock (_gate) before = _seen;
        // Who listens is told of the end of the one before, also when the next one has begun since.
        if (before is { Runs: true } && rollout is not null && rollout.Id != before.Id) _ = See(await store.RolloutAsync(connection, cancellationToken, before.Id));
        return See(rollout);
    }

    private (Part? Mine, bool Beginning) Mine()
    {
        lock (_gate) return (_mine, _beginning is not null);
    }

    // Promoted: the change comes on its own way, and the candidate gives way to itself; unless that change cannot be taken here.
    private async Task EndMineAsync(Part mine, FleetRolloutStatus? rollout, CancellationToken cancellationToken)
    {
        bool yields = rollout?.Id == mine.Id && rollout.State == "promoted" && !mine.IsDue;
        lock (_gate)
        {
            if (_mine?.Id == mine.Id) _mine = yields ? _mine with { IsDue = true } : null;
        }
        if (yields) return;
        await director.EndPartAsync(mine.Local, $"aborted by the fleet ({rollout?.Reason ?? "it does not know of it"})", rollout?.Id != mine.Id || rollout.Retry, cancellationToken);
    }

    private async Task HeedPauseAsync(Part mine, FleetRolloutStatus rollout, CancellationToken cancellationToken)
    {
        if (director.Find(mine.Local)?.Record is not { IsEnded: false } local || local.State == RolloutState.Paused == rollout.Paused) return;
        _ = await director.ActHereAsync(mine.Local, rollout.Paused ? RolloutAction.Pause : RolloutAction.Resume, new ChangeOrigin("rollout", "the fleet", ""), cancellationToken);
    }

    /// <summary>Tells how this replica's part goes. True when the others may have something to do for it.</summary>
    private async Task<bool> ReportAsync(NpgsqlConnection connection, Part mine, FleetRolloutStatus rollout, CancellationToken cancellationToken)
    {
        if (director.Find(mine.Local)?.Record is not { IsEnded: false } local) return false;
        RolloutPart now = new(replica, mine.IsDone ? "passed" : "running", local.Reason, mine.Passed, local.Percent, Sum(local, static r => r.Candidate), Sum(local, static r => r.Live));
        if (now == _told) return false;
        bool isNews = rollout.Replicas.FirstOrDefault(p => p.Replica == replica) is not { } before || before.State != now.State || before.Passed != now.Passed;
        await store.ProgressAsync(connection, rollout.Id, now, isNews, cancellationToken);
        _told = now;
        return isNews;
    }

    private static VariantTraffic Sum(RolloutRecord local, Func<RouteTraffic, VariantTraffic> variant) =>
        new(local.Traffic.Sum(r => variant(r).Requests), local.Traffic.Sum(r => variant(r).Failures), null);

    private async Task PlayAsync(NpgsqlConnection connection, FleetRolloutStatus rollout, RolloutPart part, CancellationToken cancellationToken)
    {
        long id = rollout.Id;
        if (!member.HasLive)
        {
            await store.PartAsync(connection, id, replica, "skipped", "it serves nothing yet", cancellationToken);
            return;
        }
        if (await store.RolloutRequestAsync(connection, id, cancellationToken) is not { } found) return;
        RolloutStart started = await director.StartAsync(member.Verified(found.Request, found.Envelope), cancellationToken);
        LogPlays(logger, id, started.Record?.Id ?? "-");
        ApplyResult result = started.Result;
        string reason = ApplyLedger.Summary(result.Errors) ?? started.Record?.Reason ?? result.ResultName;
        if (started.Record is { IsEnded: false }) await store.PartAsync(connection, id, replica, "running", null, cancellationToken);
        else if (result.Outcome == ApplyOutcome.Unchanged) await store.PartAsync(connection, id, replica, "skipped", "it serves that version", cancellationToken);
        // An address may be free the next time; what else is wrong with a document stays wrong.
        else if (result.Outcome == ApplyOutcome.Rejected && !result.Errors.All(static e => e.Code == Gateway.Config.ConfigErrorCodes.BindFailed)) await EndAsync("returned", retry: false);
        else if (result.Outcome is ApplyOutcome.Rejected or ApplyOutcome.Failed) await EndAsync("aborted", retry: true);
        else if (result.Outcome == ApplyOutcome.Unsigned) await EndAsync("aborted", retry: false);
        // Too many snapshots in use, another rollout's end: the next look tries again.
        else if (part.Reason != reason) await store.PartAsync(connection, id, replica, "waiting", reason, cancellationToken);

        Task EndAsync(string state, bool retry) => store.EndRolloutAsync(connection, id, replica, state, reason, retry, cancellationToken);
    }

    // A replica that goes away takes its evidence with it; one whose turn has not come can follow later.
    private async Task<bool> LostAsync(NpgsqlConnection connection, FleetRolloutStatus rollout, Part? mine, IReadOnlyList<ReplicaStatus> replicas, CancellationToken cancellationToken)
    {
        foreach (RolloutPart part in rollout.Replicas)
        {
            if (part.Replica == replica)
            {
                if (!part.Plays || mine is not null || Mine().Mine is not null) continue;
                _ = await store.EndRolloutAsync(connection, rollout.Id, replica, "aborted", "it was restarted, or could not begin", retry: true, cancellationToken);
                return true;
            }
            if (replicas.FirstOrDefault(r => r.Name == part.Replica) is { IsAway: false } || time.GetElapsedTime(_connectedAt) < Settling) continue;
            if (part.Plays)
            {
                _ = await store.EndRolloutAsync(connection, rollout.Id, part.Replica, "aborted", "it went away with the candidate", retry: true, cancellationToken);
                return true;
            }
            if (part.State == "waiting") await store.PartAsync(connection, rollout.Id, part.Replica, "skipped", "away", cancellationToken);
        }
        return false;
    }

    [LoggerMessage(1610, LogLevel.Information, "rollout {Id} of the fleet begins here: version {Version}, {Replicas} replicas, {Mode}")]
    private static partial void LogBegun(ILogger logger, long id, string version, int replicas, string mode);

    [LoggerMessage(1611, LogLevel.Information, "rollout {Id} of the fleet: this replica's turn, its own rollout is {Local}")]
    private static partial void LogPlays(ILogger logger, long id, string local);
}
