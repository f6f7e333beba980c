using Gateway.Config;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Rollout;
using Npgsql;

namespace Gateway.ControlPlane.Fleet;

internal sealed partial class FleetRollouts
{
    // What people see of the fleet's rollout, and want of it, at any replica.
    /// <summary>A promotion that another replica was asked for takes a publish there, and a look here.</summary>
    private static readonly TimeSpan PromotionPatience = TimeSpan.FromSeconds(15), Poll = TimeSpan.FromMilliseconds(50);

    public RolloutRecord? Last
    {
        get
        {
            lock (_gate) return _seen?.AsRecord();
        }
    }

    /// <summary>The rollout that runs in the fleet, for a person; null for none. Any thread.</summary>
    public string? RunningSeen
    {
        get
        {
            lock (_gate) return _seen is { Runs: true } seen ? $"rollout {seen.Id} of the fleet ({seen.Rollout}, version {seen.Version[..12]}) is running" : null;
        }
    }

    public RolloutRecord? Find(string id) => Last is { } last && last.Id == id ? last : null;

    public bool Concerns(string id)
    {
        lock (_gate) return _seen?.Name == id || _mine?.Local == id;
    }

    public async Task<RolloutAnswer> ActAsync(string id, RolloutAction action, ChangeOrigin origin, CancellationToken cancellationToken)
    {
        Part? mine = Mine().Mine;
        if (mine is null && Find(id) is { IsEnded: true } over) return new RolloutAnswer(over, IsEnded: true, null);
        // Its end is this replica's, told to the fleet before this is answered; and so is its promotion, which is the fleet's change.
        if (mine is not null && action is RolloutAction.Abort or RolloutAction.Promote && director.Find(mine.Local)?.Record is { IsEnded: false })
        {
            RolloutAnswer answer = await director.ActHereAsync(mine!.Local, action, origin, cancellationToken);
            return answer with { Record = await SeeAsync(id, cancellationToken) ?? answer.Record };
        }
        try
        {
            await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
            long fleet = mine?.Id ?? Id();
            string by = $"{origin.Actor} at {replica}";
            if (action == RolloutAction.Abort) _ = await store.EndRolloutAsync(connection, fleet, replica, "aborted", $"aborted by {origin.Actor}", retry: false, cancellationToken);
            else await store.WishAsync(connection, fleet, action, by, cancellationToken);
            FleetRolloutStatus? rollout = See(await store.RolloutAsync(connection, cancellationToken));
            if (mine is not null && rollout is { Runs: true }) await HeedPauseAsync(mine, rollout, cancellationToken);
            long start = time.GetTimestamp();
            while (action == RolloutAction.Promote && rollout is { Runs: true } && rollout.Id == fleet && time.GetElapsedTime(start) < PromotionPatience)
            {
                await Task.Delay(Poll, time, cancellationToken);
                rollout = See(await store.RolloutAsync(connection, cancellationToken));
            }
            return new RolloutAnswer(director.Find(id)?.Record, IsEnded: action != RolloutAction.Promote && rollout is { Runs: false } && !(action == RolloutAction.Abort && rollout.State == "aborted"), null);
        }
        catch (Exception e) when (FleetMember.IsAway(e) && !cancellationToken.IsCancellationRequested)
        {
            ConfigError error = new("", ApplyQueue.FleetUnavailable, $"the fleet's database cannot be reached ({FleetMember.Reason(e)}), and this is every replica's. Nothing has changed; an abort works meanwhile at a replica that has the candidate, and there at once.");
            return new RolloutAnswer(director.Find(id)?.Record, false, new ApplyResult(ApplyOutcome.FleetUnavailable, null, null, [error], [], default));
        }
    }

    private long Id()
    {
        lock (_gate) return _seen?.Id ?? 0;
    }

    // How it stands now, for an answer; as it was seen last when the store cannot be reached.
    private async Task<RolloutRecord?> SeeAsync(string id, CancellationToken cancellationToken)
    {
        try
        {
            await using NpgsqlConnection connection = await database.OpenConnectionAsync(cancellationToken);
            _ = See(await store.RolloutAsync(connection, cancellationToken));
        }
        catch (Exception e) when (FleetMember.IsAway(e) && !cancellationToken.IsCancellationRequested)
        {
            // What was seen last is told.
        }
        return director.Find(id)?.Record;
    }

    // Whoever listens here hears of it, whichever replica it happened at.
    private FleetRolloutStatus? See(FleetRolloutStatus? rollout)
    {
        FleetRolloutStatus? before;
        lock (_gate)
        {
            (before, _seenAt) = (_seen, time.GetTimestamp());
            // Two look at once: the member's loop, and whoever acts here.
            if (rollout is null || before?.Id > rollout.Id || (before?.Id == rollout.Id && !before.Runs)) return rollout;
            _seen = rollout;
        }
        bool isNew = before?.Id != rollout.Id;
        if (isNew && !rollout.Runs) return rollout;
        bool changed = isNew || before!.State != rollout.State || before.Paused != rollout.Paused;
        bool moved = !isNew && before!.PassedByAll != rollout.PassedByAll;
        if (changed || moved || !before!.Replicas.SequenceEqual(rollout.Replicas)) director.Events.Tell(changed ? "state" : moved ? "stage" : "tick", rollout.AsRecord());
        return rollout;
    }
}
