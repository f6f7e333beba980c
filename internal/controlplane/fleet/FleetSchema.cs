using Npgsql;

namespace Gateway.ControlPlane.Fleet;

/// <summary>The tables of a fleet. They are made by the first replica that comes, under a lock that the others wait for; what is there stays.</summary>
internal static class FleetSchema
{
    /// <summary>Rises with each change of the tables. A gateway refuses a newer one, which it does not understand.</summary>
    private const int Version = 3;

    public static async Task EnsureAsync(NpgsqlConnection connection, string schema, CancellationToken cancellationToken)
    {
        if (await FoundAsync(connection, schema, cancellationToken) == Version) return;
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken);
        await RunAsync(connection, $"SELECT pg_advisory_xact_lock(hashtextextended('gateway schema {schema}', 0))", cancellationToken);
        int found = await FoundAsync(connection, schema, cancellationToken);
        if (found > Version) throw new FleetException($"the schema '{schema}' was made by a newer gateway (its version is {found}, this gateway knows {Version}): update this gateway");
        await RunAsync(connection, Tables(schema), cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    private static async Task<int> FoundAsync(NpgsqlConnection connection, string schema, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand there = new($"SELECT to_regclass('{schema}.schema_version') IS NOT NULL", connection);
        if (await there.ExecuteScalarAsync(cancellationToken) is not true) return 0;
        await using NpgsqlCommand version = new($"SELECT coalesce(max(version), 0) FROM {schema}.schema_version", connection);
        return (int)(await version.ExecuteScalarAsync(cancellationToken))!;
    }

    private static async Task RunAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = new(sql, connection);
        _ = await command.ExecuteNonQueryAsync(cancellationToken);
    }

    // head has one row, which whoever makes a change locks.
    private static string Tables(string schema) => $"""
        CREATE SCHEMA IF NOT EXISTS {schema};
        CREATE TABLE IF NOT EXISTS {schema}.documents (
            digest text NOT NULL, format text NOT NULL, content bytea NOT NULL, stored_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (digest, format));
        CREATE TABLE IF NOT EXISTS {schema}.changes (
            sequence bigint PRIMARY KEY, time timestamptz NOT NULL DEFAULT now(), version text NOT NULL, digest text NOT NULL, format text NOT NULL,
            source text NOT NULL, actor text NOT NULL, origin text NOT NULL, replica text NOT NULL, detail text, bundle_sequence bigint,
            FOREIGN KEY (digest, format) REFERENCES {schema}.documents);
        CREATE TABLE IF NOT EXISTS {schema}.head (
            one boolean PRIMARY KEY DEFAULT true CHECK (one), sequence bigint NOT NULL);
        INSERT INTO {schema}.head (sequence) VALUES (0) ON CONFLICT DO NOTHING;
        CREATE TABLE IF NOT EXISTS {schema}.audit (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, time timestamptz NOT NULL, replica text NOT NULL, actor text NOT NULL, origin text NOT NULL,
            action text NOT NULL, source text NOT NULL, version text, result text NOT NULL, detail text);
        CREATE TABLE IF NOT EXISTS {schema}.replicas (
            name text PRIMARY KEY, instance uuid NOT NULL, address text NOT NULL, version text NOT NULL, sequence bigint, since timestamptz NOT NULL,
            state text NOT NULL, error text, started_at timestamptz NOT NULL, last_seen timestamptz NOT NULL DEFAULT now());
        CREATE TABLE IF NOT EXISTS {schema}.rollouts (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, rollout text NOT NULL, version text NOT NULL, digest text NOT NULL, format text NOT NULL, content bytea NOT NULL,
            source text NOT NULL, actor text NOT NULL, origin text NOT NULL, replica text NOT NULL, detail text, bundle_sequence bigint, state text NOT NULL DEFAULT 'running',
            reason text, started_at timestamptz NOT NULL DEFAULT now(), ended_at timestamptz);
        CREATE UNIQUE INDEX IF NOT EXISTS rollouts_one_runs ON {schema}.rollouts ((true)) WHERE state = 'running';
        CREATE TABLE IF NOT EXISTS {schema}.rollout_replicas (
            rollout bigint NOT NULL REFERENCES {schema}.rollouts ON DELETE CASCADE, replica text NOT NULL, position integer NOT NULL, state text NOT NULL, reason text,
            PRIMARY KEY (rollout, replica));
        ALTER TABLE {schema}.documents ADD COLUMN IF NOT EXISTS envelope bytea;
        ALTER TABLE {schema}.rollouts ADD COLUMN IF NOT EXISTS envelope bytea, ADD COLUMN IF NOT EXISTS mode text NOT NULL DEFAULT 'sequential', ADD COLUMN IF NOT EXISTS stages text NOT NULL DEFAULT '',
            ADD COLUMN IF NOT EXISTS retry boolean NOT NULL DEFAULT false, ADD COLUMN IF NOT EXISTS paused boolean NOT NULL DEFAULT false, ADD COLUMN IF NOT EXISTS promote text;
        ALTER TABLE {schema}.rollout_replicas ADD COLUMN IF NOT EXISTS passed integer NOT NULL DEFAULT 0, ADD COLUMN IF NOT EXISTS percent double precision NOT NULL DEFAULT 0,
            ADD COLUMN IF NOT EXISTS requests bigint NOT NULL DEFAULT 0, ADD COLUMN IF NOT EXISTS failures bigint NOT NULL DEFAULT 0,
            ADD COLUMN IF NOT EXISTS live_requests bigint NOT NULL DEFAULT 0, ADD COLUMN IF NOT EXISTS live_failures bigint NOT NULL DEFAULT 0;
        CREATE TABLE IF NOT EXISTS {schema}.schema_version (version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
        INSERT INTO {schema}.schema_version (version) VALUES ({Version}) ON CONFLICT DO NOTHING;
        """;
}

/// <summary>The shared store is there, and not as it should be; the message is for a person.</summary>
internal sealed class FleetException(string message) : Exception(message);
