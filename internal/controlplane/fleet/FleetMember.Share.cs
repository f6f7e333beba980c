using System.Data.Common;
using System.Net.Sockets;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Store;
using Npgsql;

namespace Gateway.ControlPlane.Fleet;

public sealed partial class FleetMember
{
    /// <summary>A rollback must not wait for a database that hangs.</summary>
    private static readonly TimeSpan EndingPatience = TimeSpan.FromSeconds(2);

    // A change that came in here. The head's row is locked over the publish, so that two replicas' changes come one after the other for all,
    // and what cannot be published here is nobody's.
    public async Task<Sharing> ShareAsync(SharedChange change, Func<Task<bool>> publish)
    {
        if (!Status.Connected) return await AwayAsync(change, publish, Status.Error ?? "not connected");
        NpgsqlConnection? connection = null;
        try
        {
            NpgsqlTransaction transaction;
            long sequence;
            try
            {
                connection = await _database.OpenConnectionAsync(_stop.Token);
                transaction = await connection.BeginTransactionAsync(_stop.Token);
                (long last, string? version, long bundle) = await _store.LockHeadAsync(connection, _stop.Token);
                if (Refusal(change, last, version, bundle) is { } refusal) return refusal;
                if (change.Ends is { } id)
                {
                    if (await _store.EndOfAsync(connection, id, _stop.Token) is { } end) return new Sharing(SharingResult.RolloutEnded, 0, end);
                }
                else if (change is { Always: false, After: null } && await _store.RunningAsync(connection, _stop.Token) is { } running) return new Sharing(SharingResult.RolloutRunning, 0, running);
                // Of what cannot be read nothing can be shared.
                if (change.Document.Content.IsEmpty) return await AwayAsync(change, publish, "the stored document cannot be read");
                sequence = last + 1;
                await _store.InsertAsync(connection, sequence, _options.Replica, change, Math.Max(bundle, change.BundleSequence ?? 0), _stop.Token);
            }
            catch (Exception e) when (IsAway(e))
            {
                return await AwayAsync(change, publish, Reason(e));
            }
            // Without a commit the transaction is undone with its connection.
            if (!await publish()) return new Sharing(SharingResult.NotPublished);
            try
            {
                FaultPoint.Pass("share.commit.before");
                await transaction.CommitAsync(CancellationToken.None);
                FaultPoint.Pass("share.commit.after");
                return new Sharing(SharingResult.Shared, sequence);
            }
            catch (Exception e) when (IsAway(e))
            {
                // It may be committed or not; the next look at the fleet tells.
                return new Sharing(SharingResult.Pending, 0, Reason(e));
            }
        }
        finally
        {
            if (connection is not null) await connection.DisposeAsync();
        }
    }

    public string? RolloutSeen => Status.Connected ? _rollouts?.RunningSeen : null;

    public string? AwaySeen => Status is { Connected: false } away ? away.Error ?? "not connected" : null;

    public async Task<string?> EndRolloutAsync(string reason)
    {
        if (!Status.Connected) return null;
        try
        {
            using CancellationTokenSource patience = new(EndingPatience, _time);
            await using NpgsqlConnection connection = await _database.OpenConnectionAsync(patience.Token);
            if (await _store.RolloutAsync(connection, patience.Token) is not { Runs: true } rollout) return null;
            return await _store.EndRolloutAsync(connection, rollout.Id, _options.Replica, "aborted", reason, retry: false, patience.Token) == "aborted" ? rollout.Version : null;
        }
        catch (Exception e) when (IsAway(e))
        {
            return null;
        }
    }

    private static Sharing? Refusal(SharedChange change, long last, string? version, long bundle)
    {
        if (change.After is { } after) return after == last ? null : new Sharing(SharingResult.Stale, last);
        if (change.BundleSequence <= bundle) return new Sharing(SharingResult.StaleBundle, bundle);
        if (change.IfMatch is { Count: > 0 } wanted && version is not null && !wanted.Contains(version))
            return new Sharing(SharingResult.Stale, last, $"the fleet's version is {version} since change {last}, not the one in If-Match; read it, apply your change to it, and try again");
        return null;
    }

    private static async Task<Sharing> AwayAsync(SharedChange change, Func<Task<bool>> publish, string why)
    {
        if (!change.Always) return new Sharing(SharingResult.Unavailable, 0, why);
        return new Sharing(await publish() ? SharingResult.Pending : SharingResult.NotPublished, 0, why);
    }

    internal static bool IsAway(Exception e) => e is DbException or SocketException or IOException or TimeoutException or FleetException or OperationCanceledException;
}
