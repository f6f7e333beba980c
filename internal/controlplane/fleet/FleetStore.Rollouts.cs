using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Rollout;
using Npgsql;

namespace Gateway.ControlPlane.Fleet;

internal sealed partial class FleetStore
{
    // What is read of rollouts, and how one begins.
    /// <summary>Ended rollouts that are kept.</summary>
    private const int MostRollouts = 100;

    private const string Together = "together";

    private const string RolloutColumns = "r.id, r.rollout, r.version, r.state, r.reason, r.started_at, r.ended_at, r.digest, r.source, r.actor, r.mode, r.stages, r.paused, r.promote, r.retry";

    /// <summary>The one that runs, or the last one; or (with an id) that one.</summary>
    public async Task<FleetRolloutStatus?> RolloutAsync(NpgsqlConnection connection, CancellationToken cancellationToken, long? id = null)
    {
        await using NpgsqlCommand command = new(
            $"""
            SELECT {RolloutColumns}, p.replica, p.state, p.reason, p.passed, p.percent, p.requests, p.failures, p.live_requests, p.live_failures
            FROM {schema}.rollouts r JOIN {schema}.rollout_replicas p ON p.rollout = r.id WHERE r.id = coalesce($1, (SELECT max(id) FROM {schema}.rollouts)) ORDER BY p.position
            """, connection)
        { Parameters = { new NpgsqlParameter<long?> { TypedValue = id, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Bigint } } };
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
        FleetRolloutStatus? rollout = null;
        List<RolloutPart> parts = [];
        while (await reader.ReadAsync(cancellationToken))
        {
            rollout ??= Rollout(reader, parts);
            parts.Add(new RolloutPart(
                reader.GetString(15), reader.GetString(16), Text(reader, 17), reader.GetInt32(18), reader.GetDouble(19),
                new VariantTraffic(reader.GetInt64(20), reader.GetInt64(21), null), new VariantTraffic(reader.GetInt64(22), reader.GetInt64(23), null)));
        }
        return rollout;
    }

    /// <summary>The last rollout of a candidate, without its replicas; null when none is kept.</summary>
    public Task<FleetRolloutStatus?> LastRolloutOfAsync(NpgsqlConnection connection, string digest, CancellationToken cancellationToken) =>
        LastRolloutAsync(connection, "r.digest = $1", [new() { Value = digest }], cancellationToken);

    /// <summary>The same of a candidate as it came in a bundle: under another sequence it is tried anew. Null for none is what came without a bundle.</summary>
    public Task<FleetRolloutStatus?> LastRolloutOfAsync(NpgsqlConnection connection, string digest, long? bundleSequence, CancellationToken cancellationToken) =>
        LastRolloutAsync(connection, "r.digest = $1 AND r.bundle_sequence IS NOT DISTINCT FROM $2",
            [new() { Value = digest }, new() { Value = (object?)bundleSequence ?? DBNull.Value, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Bigint }], cancellationToken);

    private async Task<FleetRolloutStatus?> LastRolloutAsync(NpgsqlConnection connection, string condition, NpgsqlParameter[] parameters, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new($"SELECT {RolloutColumns} FROM {schema}.rollouts r WHERE {condition} ORDER BY r.id DESC LIMIT 1", connection);
        command.Parameters.AddRange(parameters);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken) ? Rollout(reader, []) : null;
    }

    /// <summary>In the transaction of <see cref="LockHeadAsync"/>: the rollout that runs, for a person; null for none.</summary>
    public async Task<string?> RunningAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new(
            $"SELECT format('rollout %s of the fleet (%s, version %s, begun at %s) is running', id, rollout, left(version, 12), replica) FROM {schema}.rollouts WHERE state = 'running'", connection);
        return await command.ExecuteScalarAsync(cancellationToken) as string;
    }

    /// <summary>In the transaction of <see cref="LockHeadAsync"/>: how a rollout ended, for a person; null while it runs.</summary>
    public async Task<string?> EndOfAsync(NpgsqlConnection connection, long id, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new($"SELECT format('rollout %s of the fleet was %s: %s', id, state, reason) FROM {schema}.rollouts WHERE id = $1 AND state <> 'running'", connection) { Parameters = { new() { Value = id } } };
        return await command.ExecuteScalarAsync(cancellationToken) as string;
    }

    /// <summary>In the transaction of <see cref="LockHeadAsync"/>: writes it down with the replicas in their order, the first of which runs already.</summary>
    public async Task<long> BeginRolloutAsync(NpgsqlConnection connection, RolloutPlan plan, SharedChange change, IReadOnlyList<string> replicas, CancellationToken cancellationToken)
    {
        ConfigDocument document = change.Document;
        NpgsqlBatchCommand insert = Batched(
            $"""
            INSERT INTO {schema}.rollouts (rollout, version, digest, format, content, source, actor, origin, replica, detail, bundle_sequence, envelope, mode, stages)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING id
            """,
            plan.Name, change.Version, document.Digest, document.FormatName, document.Content.ToArray(), change.Origin.Source, change.Origin.Actor, change.Origin.From, replicas[0], change.Detail, change.BundleSequence,
            change.Envelope.IsEmpty ? null : change.Envelope.ToArray(), plan.Fleet == Gateway.Config.FleetRolloutMode.Together ? Together : "sequential", RolloutText.Stages(plan.Stages));
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

    /// <summary>What a replica needs to take its part, unverified, and the envelope that it came in (empty for none); null when it has ended.</summary>
    /// <exception cref="FleetException">The document is not what was stored.</exception>
    public async Task<(ApplyRequest Request, byte[] Envelope)?> RolloutRequestAsync(NpgsqlConnection connection, long id, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new(
            $"SELECT rollout, digest, format, content, source, actor, origin, detail, bundle_sequence, envelope, (SELECT count(*) FROM {schema}.rollout_replicas WHERE rollout = id) FROM {schema}.rollouts WHERE id = $1 AND state = 'running'", connection)
        { Parameters = { new() { Value = id } } };
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
        if (!await reader.ReadAsync(cancellationToken)) return null;
        ConfigDocument document = new(reader.GetFieldValue<byte[]>(3), reader.GetString(2) == "yaml" ? DocumentFormat.Yaml : DocumentFormat.Json);
        if (document.Digest != reader.GetString(1)) throw new FleetException($"the document of rollout {id} in the fleet's database is damaged: its digest differs");
        byte[] envelope = reader.IsDBNull(9) ? [] : reader.GetFieldValue<byte[]>(9);
        // It was merged with other sources' where it came in.
        return (new ApplyRequest(document.AsWhole(), new ChangeOrigin(reader.GetString(4), reader.GetString(5), reader.GetString(6)))
        {
            Rollout = reader.GetString(0),
            FleetRollout = id,
            Judges = (int)reader.GetInt64(10),
            Bundle = reader.IsDBNull(8) ? null : new BundleStamp(reader.GetInt64(8), Text(reader, 7) ?? "") { Envelope = envelope },
        }, envelope);
    }

    private static FleetRolloutStatus Rollout(NpgsqlDataReader reader, IReadOnlyList<RolloutPart> parts) => new(
        reader.GetInt64(0), reader.GetString(1), reader.GetString(2), reader.GetString(3), Text(reader, 4), Time(reader, 5), reader.IsDBNull(6) ? null : Time(reader, 6), parts)
    {
        Digest = reader.GetString(7),
        Source = reader.GetString(8),
        Actor = reader.GetString(9),
        Together = reader.GetString(10) == Together,
        Stages = RolloutText.ReadStages(reader.GetString(11)),
        Paused = reader.GetBoolean(12),
        Promote = Text(reader, 13),
        Retry = reader.GetBoolean(14),
    };
}
