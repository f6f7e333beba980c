using Gateway.ControlPlane.Rollout;
using Npgsql;

namespace Gateway.ControlPlane.Fleet;

internal sealed partial class FleetStore
{
    // How a rollout goes on, and ends.
    public Task PartAsync(NpgsqlConnection connection, long id, string replica, string state, string? reason, CancellationToken cancellationToken) => TellAsync(connection, cancellationToken,
        Batched($"UPDATE {schema}.rollout_replicas SET state = $3, reason = $4 WHERE rollout = $1 AND replica = $2", id, replica, state, reason));

    /// <summary>How a replica's part goes. Told to the others when there is something for them to do; else they see it when they look the next time.</summary>
    public async Task ProgressAsync(NpgsqlConnection connection, long id, RolloutPart part, bool tell, CancellationToken cancellationToken)
    {
        NpgsqlBatchCommand update = Batched(
            $"UPDATE {schema}.rollout_replicas SET state = $3, reason = $4, passed = $5, percent = $6, requests = $7, failures = $8, live_requests = $9, live_failures = $10 WHERE rollout = $1 AND replica = $2",
            id, part.Replica, part.State, part.Reason, part.Passed, part.Percent, part.Candidate.Requests, part.Candidate.Failures, part.Live.Requests, part.Live.Failures);
        if (tell)
        {
            await TellAsync(connection, cancellationToken, update);
            return;
        }
        await using NpgsqlBatch batch = new(connection) { BatchCommands = { update } };
        _ = await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Someone's wish, which each replica that plays a part heeds.</summary>
    public Task WishAsync(NpgsqlConnection connection, long id, RolloutAction action, string by, CancellationToken cancellationToken) => TellAsync(connection, cancellationToken, action == RolloutAction.Promote
        ? Batched($"UPDATE {schema}.rollouts SET promote = $2 WHERE id = $1 AND state = 'running'", id, by)
        : Batched($"UPDATE {schema}.rollouts SET paused = $2 WHERE id = $1 AND state = 'running'", id, action == RolloutAction.Pause));

    /// <summary>
    /// Ends it for all, if it runs still; how it has ended. Under the lock of the head, as a promotion is: of the two that come at once one is
    /// the first, and then the other finds it ended.
    /// </summary>
    /// <param name="retry">It says nothing against the candidate.</param>
    public async Task<string?> EndRolloutAsync(NpgsqlConnection connection, long id, string replica, string state, string reason, bool retry, CancellationToken cancellationToken)
    {
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken);
        _ = await LockHeadAsync(connection, cancellationToken);
        await TellAsync(connection, cancellationToken,
            Batched($"UPDATE {schema}.rollout_replicas SET state = $3, reason = $4 WHERE rollout = $1 AND replica = $2 AND EXISTS (SELECT FROM {schema}.rollouts WHERE id = $1 AND state = 'running')", id, replica, state, reason),
            Batched($"UPDATE {schema}.rollouts SET state = $2, reason = $3, retry = $4, content = '', envelope = NULL, ended_at = now() WHERE id = $1 AND state = 'running'", id, state, $"replica {replica}: {reason}", retry));
        string? ended;
        await using (NpgsqlCommand read = new($"SELECT state FROM {schema}.rollouts WHERE id = $1", connection) { Parameters = { new() { Value = id } } }) ended = await read.ExecuteScalarAsync(cancellationToken) as string;
        await transaction.CommitAsync(cancellationToken);
        return ended;
    }

    private async Task TellAsync(NpgsqlConnection connection, CancellationToken cancellationToken, params NpgsqlBatchCommand[] commands)
    {
        await using NpgsqlBatch batch = new(connection);
        foreach (NpgsqlBatchCommand command in commands) batch.BatchCommands.Add(command);
        batch.BatchCommands.Add(Batched("SELECT pg_notify($1, '')", Channel));
        _ = await batch.ExecuteNonQueryAsync(cancellationToken);
    }
}
