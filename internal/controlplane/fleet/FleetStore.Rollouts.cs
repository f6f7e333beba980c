using Gateway.ControlPlane.Apply;
using Npgsql;

namespace Gateway.ControlPlane.Fleet;

internal sealed partial class FleetStore
{
    /// <summary>Ended rollouts that are kept.</summary>
    private const int MostRollouts = 100;

    /// <summary>The one that runs, or the last one.</summary>
    public async Task<FleetRolloutStatus?> RolloutAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new(
            $"""
            SELECT r.id, r.rollout, r.version, r.state, r.reason, r.started_at, r.ended_at, p.replica, p.state, p.reason
            FROM {schema}.rollouts r JOIN {schema}.rollout_replicas p ON p.rollout = r.id WHERE r.id = (SELECT max(id) FROM {schema}.rollouts) ORDER BY p.position
            """, connection);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
        FleetRolloutStatus? rollout = null;
        List<FleetRolloutPart> parts = [];
        while (await reader.ReadAsync(cancellationToken))
        {
            rollout ??= new FleetRolloutStatus(
                reader.GetInt64(0), reader.GetString(1), reader.GetString(2), reader.GetString(3), Text(reader, 4), Time(reader, 5), reader.IsDBNull(6) ? null : Time(reader, 6), parts);
            parts.Add(new FleetRolloutPart(reader.GetString(7), reader.GetString(8), Text(reader, 9)));
        }
        return rollout;
    }

    /// <summary>In the transaction of <see cref="LockHeadAsync"/>: the rollout that runs, for a person; null for none.</summary>
    public async Task<string?> RunningAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new(
            $"SELECT format('rollout %s of the fleet (%s, version %s, begun at %s) is running', id, rollout, left(version, 12), replica) FROM {schema}.rollouts WHERE state = 'running'", connection);
        return await command.ExecuteScalarAsync(cancellationToken) as string;
    }

    /// <summary>In the transaction of <see cref="LockHeadAsync"/>: writes it down with the replicas in their order, the first of which runs already.</summary>
    public async Task<long> BeginRolloutAsync(NpgsqlConnection connection, string name, SharedChange change, IReadOnlyList<string> replicas, CancellationToken cancellationToken)
    {
        ConfigDocument document = change.Document;
        NpgsqlBatchCommand insert = Batched(
            $"INSERT INTO {schema}.rollouts (rollout, version, digest, format, content, source, actor, origin, replica, detail, bundle_sequence) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id",
            name, change.Version, document.Digest, document.FormatName, document.Content.ToArray(), change.Origin.Source, change.Origin.Actor, change.Origin.From, replicas[0], change.Detail, change.BundleSequence);
        long id;
        await using (NpgsqlBatch first = new(connection) { BatchCommands = { insert } }) id = (long)(await first.ExecuteScalarAsync(cancellationToken))!;
        NpgsqlBatchCommand[] parts =
        [
            .. replicas.Select((replica, i) => Batched($"INSERT INTO {schema}.rollout_replicas (rollout, replica, position, state) VALUES ($1, $2, $3, $4)", id, replica, i, i == 0 ? "running" : "waiting")),
            Batched($"DELETE FROM {schema}.rollouts WHERE id <= $1", id - MostRollouts),
        ];
        await TellAsync(connection, cancellationToken, parts);
        return id;
    }

    /// <summary>What a replica needs to take its part; null when it has ended.</summary>
    /// <exception cref="FleetException">The document is not what was stored.</exception>
    public async Task<ApplyRequest?> RolloutRequestAsync(NpgsqlConnection connection, long id, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new(
            $"SELECT rollout, digest, format, content, source, actor, origin, detail, bundle_sequence FROM {schema}.rollouts WHERE id = $1 AND state = 'running'", connection)
        { Parameters = { new() { Value = id } } };
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
        if (!await reader.ReadAsync(cancellationToken)) return null;
        ConfigDocument document = new(reader.GetFieldValue<byte[]>(3), reader.GetString(2) == "yaml" ? DocumentFormat.Yaml : DocumentFormat.Json);
        if (document.Digest != reader.GetString(1)) throw new FleetException($"the document of rollout {id} in the fleet's database is damaged: its digest differs");
        // It was merged with other sources' where it came in.
        return new ApplyRequest(document.AsWhole(), new ChangeOrigin(reader.GetString(4), reader.GetString(5), reader.GetString(6)))
        {
            Rollout = reader.GetString(0),
            FleetRollout = id,
            Bundle = reader.IsDBNull(8) ? null : new BundleStamp(reader.GetInt64(8), Text(reader, 7) ?? ""),
        };
    }

    public Task PartAsync(NpgsqlConnection connection, long id, string replica, string state, string? reason, CancellationToken cancellationToken) => TellAsync(connection, cancellationToken,
        Batched($"UPDATE {schema}.rollout_replicas SET state = $3, reason = $4 WHERE rollout = $1 AND replica = $2", id, replica, state, reason));

    /// <summary>Ends it for all, if it runs still.</summary>
    public Task EndRolloutAsync(NpgsqlConnection connection, long id, string replica, string state, string reason, CancellationToken cancellationToken) => TellAsync(connection, cancellationToken,
        Batched($"UPDATE {schema}.rollout_replicas SET state = $3, reason = $4 WHERE rollout = $1 AND replica = $2 AND EXISTS (SELECT FROM {schema}.rollouts WHERE id = $1 AND state = 'running')", id, replica, state, reason),
        Batched($"UPDATE {schema}.rollouts SET state = $2, reason = $3, content = '', ended_at = now() WHERE id = $1 AND state = 'running'", id, state, $"replica {replica}: {reason}"));

    private async Task TellAsync(NpgsqlConnection connection, CancellationToken cancellationToken, params NpgsqlBatchCommand[] commands)
    {
        await using NpgsqlBatch batch = new(connection);
        foreach (NpgsqlBatchCommand command in commands) batch.BatchCommands.Add(command);
        batch.BatchCommands.Add(Batched("SELECT pg_notify($1, '')", Channel));
        _ = await batch.ExecuteNonQueryAsync(cancellationToken);
    }
}
