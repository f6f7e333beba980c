using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Store;
using Npgsql;

namespace Gateway.ControlPlane.Fleet;

/// <summary>The statements on the shared store. Thread safe, as each call is given its connection.</summary>
internal sealed partial class FleetStore(string schema)
{
    /// <summary>Entries of the shared audit log; each replica has its own whole one.</summary>
    private const int MostAudit = 100_000;

    /// <summary>A hundred thousand routes are published in a second or two.</summary>
    private static readonly TimeSpan LongestPublish = TimeSpan.FromSeconds(30);

    private const string ChangeColumns = "c.sequence, c.time, c.version, c.digest, c.format, c.source, c.actor, c.origin, c.replica, c.detail, c.bundle_sequence";

    /// <summary>What is heard when something has changed; the replicas listen.</summary>
    public string Channel { get; } = $"{schema}_changed";

    public Task EnsureAsync(NpgsqlConnection connection, CancellationToken cancellationToken) => FleetSchema.EnsureAsync(connection, schema, cancellationToken);

    /// <summary>What every replica is to serve; null in an empty fleet.</summary>
    public async Task<FleetChange?> HeadAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new($"SELECT {ChangeColumns} FROM {schema}.changes c JOIN {schema}.head h ON h.sequence = c.sequence", connection);
        return (await ReadChangesAsync(command, cancellationToken)).FirstOrDefault();
    }

    /// <summary>The newest changes first.</summary>
    public async Task<IReadOnlyList<FleetChange>> ChangesAsync(NpgsqlConnection connection, int limit, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new($"SELECT {ChangeColumns} FROM {schema}.changes c ORDER BY c.sequence DESC LIMIT $1", connection) { Parameters = { new() { Value = limit } } };
        return await ReadChangesAsync(command, cancellationToken);
    }

    /// <summary>The document, and the envelope that it came in; empty for none.</summary>
    /// <exception cref="FleetException">It is gone, or is not what was stored.</exception>
    public async Task<(byte[] Content, byte[] Envelope)> DocumentAsync(NpgsqlConnection connection, FleetChange change, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new($"SELECT content, envelope FROM {schema}.documents WHERE digest = $1 AND format = $2", connection) { Parameters = { new() { Value = change.Digest }, new() { Value = change.Format } } };
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
        if (!await reader.ReadAsync(cancellationToken)) throw new FleetException($"the document of change {change.Sequence} is gone from the fleet's database");
        byte[] content = reader.GetFieldValue<byte[]>(0);
        return ConfigStore.DigestOf(content) == change.Digest ? (content, reader.IsDBNull(1) ? [] : reader.GetFieldValue<byte[]>(1)) : throw new FleetException($"the document of change {change.Sequence} in the fleet's database is damaged: its digest differs");
    }

    /// <summary>
    /// Locks the head until the transaction ends, so that changes have one order. A replica that is cut off or frozen in the middle loses the
    /// lock after a while, and its change with it: the others must be able to go on.
    /// </summary>
    public async Task<(long Sequence, string? Version, long BundleSequence)> LockHeadAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using NpgsqlBatch batch = new(connection)
        {
            BatchCommands =
            {
                Batched($"SET LOCAL idle_in_transaction_session_timeout = '{LongestPublish.TotalSeconds}s'"),
                Batched($"SELECT h.sequence, c.version, coalesce(c.bundle_sequence, 0) FROM {schema}.head h LEFT JOIN {schema}.changes c ON c.sequence = h.sequence FOR UPDATE OF h"),
            },
        };
        await using NpgsqlDataReader reader = await batch.ExecuteReaderAsync(cancellationToken);
        if (!await reader.ReadAsync(cancellationToken)) throw new FleetException($"the table {schema}.head is empty; it has one row");
        return (reader.GetInt64(0), reader.IsDBNull(1) ? null : reader.GetString(1), reader.GetInt64(2));
    }

    /// <summary>In the transaction of <see cref="LockHeadAsync"/>: writes the change, tells of it, forgets what is beyond the change's retention.</summary>
    public async Task InsertAsync(NpgsqlConnection connection, long sequence, string replica, SharedChange change, long bundleSequence, CancellationToken cancellationToken)
    {
        ConfigDocument document = change.Document;
        await using NpgsqlBatch batch = new(connection)
        {
            BatchCommands =
            {
                Batched($"INSERT INTO {schema}.documents AS d (digest, format, content, envelope) VALUES ($1, $2, $3, $4) ON CONFLICT (digest, format) DO UPDATE SET envelope = coalesce(EXCLUDED.envelope, d.envelope)",
                    document.Digest, document.FormatName, document.Content.ToArray(), change.Envelope.IsEmpty ? null : change.Envelope.ToArray()),
                Batched($"INSERT INTO {schema}.changes (sequence, version, digest, format, source, actor, origin, replica, detail, bundle_sequence) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                    sequence, change.Version, document.Digest, document.FormatName, change.Origin.Source, change.Origin.Actor, change.Origin.From, replica, change.Detail, bundleSequence == 0 ? null : bundleSequence),
                Batched($"UPDATE {schema}.head SET sequence = $1", sequence),
                // The rollout that runs has ended with this: it was the candidate's promotion, or overtook it.
                Batched($"UPDATE {schema}.rollouts SET state = CASE WHEN digest = $1 THEN 'promoted' ELSE 'aborted' END, reason = CASE WHEN digest = $1 THEN $2 ELSE $3 END, retry = digest <> $1 AND $4, content = '', envelope = NULL, ended_at = now() WHERE state = 'running'",
                    document.Digest, $"change {sequence} of the fleet", $"overtaken by change {sequence}: {change.Origin.Source} by {change.Origin.Actor} at {replica}", change.Origin.Source != "rollback"),
                Batched($"DELETE FROM {schema}.changes WHERE sequence <= $1", sequence - Math.Max(change.Keep, 1)),
                Batched($"DELETE FROM {schema}.documents d WHERE NOT EXISTS (SELECT FROM {schema}.changes c WHERE c.digest = d.digest AND c.format = d.format)"),
                Batched("SELECT pg_notify($1, $2)", Channel, sequence.ToString(System.Globalization.CultureInfo.InvariantCulture)),
            },
        };
        _ = await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Says that a replica is there and what it does. Returns false when another process has said so under the same name since this one last did.</summary>
    public async Task<bool> BeatAsync(NpgsqlConnection connection, Guid instance, ReplicaStatus self, bool first, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new(
            $"""
            WITH before AS (SELECT instance FROM {schema}.replicas WHERE name = $1)
            INSERT INTO {schema}.replicas AS r (name, instance, address, version, sequence, since, state, error, started_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (name) DO UPDATE SET instance = $2, address = $3, version = $4, sequence = $5, since = $6, state = $7, error = $8, started_at = $9, last_seen = now()
            RETURNING coalesce((SELECT instance FROM before) = $2, true)
            """, connection);
        foreach (object? value in (object?[])[self.Name, instance, self.Address, self.Version, self.Sequence, self.Since.ToUniversalTime(), self.State, self.Error, self.StartedAt.ToUniversalTime()])
            command.Parameters.Add(Parameter(value));
        return (bool)(await command.ExecuteScalarAsync(cancellationToken))! || first;
    }

    /// <summary>By name. What has not been seen for a day is forgotten.</summary>
    public async Task<IReadOnlyList<ReplicaStatus>> ReplicasAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new(
            $"SELECT name, address, version, sequence, since, state, error, started_at, last_seen, now() - last_seen FROM {schema}.replicas WHERE last_seen > now() - interval '1 day' ORDER BY name", connection);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
        List<ReplicaStatus> replicas = [];
        while (await reader.ReadAsync(cancellationToken))
        {
            replicas.Add(new ReplicaStatus(
                reader.GetString(0), reader.GetString(1), reader.GetString(2), reader.IsDBNull(3) ? null : reader.GetInt64(3), Time(reader, 4), reader.GetString(5),
                reader.IsDBNull(6) ? null : reader.GetString(6), Time(reader, 7), Time(reader, 8), reader.GetTimeSpan(9)));
        }
        return replicas;
    }

    /// <summary>A replica that stops says so.</summary>
    public async Task LeaveAsync(NpgsqlConnection connection, string replica, Guid instance, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new($"DELETE FROM {schema}.replicas WHERE name = $1 AND instance = $2", connection) { Parameters = { new() { Value = replica }, new() { Value = instance } } };
        _ = await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public async Task AuditAsync(NpgsqlConnection connection, string replica, IReadOnlyList<AuditEntry> entries, CancellationToken cancellationToken)
    {
        await using NpgsqlBatch batch = new(connection);
        foreach (AuditEntry entry in entries)
        {
            batch.BatchCommands.Add(Batched(
                $"INSERT INTO {schema}.audit (time, replica, actor, origin, action, source, version, result, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                entry.Time.ToUniversalTime(), replica, entry.Actor, entry.From, entry.Action, entry.Source, entry.Version, entry.Result, entry.Detail));
        }
        batch.BatchCommands.Add(Batched($"DELETE FROM {schema}.audit WHERE id <= (SELECT max(id) FROM {schema}.audit) - {MostAudit}"));
        _ = await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>The newest first, each with the replica where it happened.</summary>
    public async Task<IReadOnlyList<(string Replica, AuditEntry Entry)>> AuditAsync(NpgsqlConnection connection, int limit, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new(
            $"SELECT time, replica, actor, origin, action, source, version, result, detail FROM {schema}.audit ORDER BY time DESC, id DESC LIMIT $1", connection)
        { Parameters = { new() { Value = limit } } };
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
        List<(string, AuditEntry)> entries = [];
        while (await reader.ReadAsync(cancellationToken))
        {
            entries.Add((reader.GetString(1), new AuditEntry(
                Time(reader, 0), reader.GetString(2), reader.GetString(3), reader.GetString(4), reader.GetString(5), Text(reader, 6), reader.GetString(7), Text(reader, 8))));
        }
        return entries;
    }

    private static async Task<List<FleetChange>> ReadChangesAsync(NpgsqlCommand command, CancellationToken cancellationToken)
    {
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
        List<FleetChange> changes = [];
        while (await reader.ReadAsync(cancellationToken))
        {
            changes.Add(new FleetChange(
                reader.GetInt64(0), Time(reader, 1), reader.GetString(2), reader.GetString(3), reader.GetString(4), reader.GetString(5), reader.GetString(6), reader.GetString(7),
                reader.GetString(8), Text(reader, 9), reader.IsDBNull(10) ? null : reader.GetInt64(10)));
        }
        return changes;
    }

    private static string? Text(NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetString(column);

    private static DateTimeOffset Time(NpgsqlDataReader reader, int column) => reader.GetFieldValue<DateTimeOffset>(column);

    private static NpgsqlBatchCommand Batched(string sql, params object?[] values)
    {
        NpgsqlBatchCommand command = new(sql);
        foreach (object? value in values) command.Parameters.Add(Parameter(value));
        return command;
    }

    private static NpgsqlParameter Parameter(object? value) => new() { Value = value ?? DBNull.Value };
}
