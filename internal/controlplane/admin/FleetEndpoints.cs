using System.Data.Common;
using System.Text.Json;
using Gateway.ControlPlane.Fleet;
using Gateway.ControlPlane.Store;
using Microsoft.AspNetCore.Http;

namespace Gateway.ControlPlane.Admin;

/// <summary><c>GET /admin/fleet</c>: the replicas, what each serves, and what they are to serve; its history and audit log.</summary>
internal sealed class FleetEndpoints(FleetMember? fleet)
{
    private const int DefaultLimit = 100;

    public Task StatusAsync(HttpContext context, Apply.ChangeOrigin origin) =>
        fleet is null ? NoFleetAsync(context) : AdminJson.WriteAsync(context, 200, fleet.Status, Write);

    public async Task HistoryAsync(HttpContext context, Apply.ChangeOrigin origin)
    {
        if (await LimitAsync(context) is not { } limit) return;
        if (await ReadAsync(context, fleet!.ChangesAsync(limit, context.RequestAborted)) is not { } changes) return;
        await AdminJson.WriteAsync(context, 200, changes, static (writer, changes) =>
        {
            writer.WriteStartObject();
            writer.WriteStartArray("entries");
            foreach (FleetChange change in changes) Write(writer, change);
            writer.WriteEndArray();
            writer.WriteEndObject();
        });
    }

    public async Task AuditAsync(HttpContext context, Apply.ChangeOrigin origin)
    {
        if (await LimitAsync(context) is not { } limit) return;
        if (await ReadAsync(context, fleet!.AuditAsync(limit, context.RequestAborted)) is not { } entries) return;
        await AdminJson.WriteAsync(context, 200, entries, static (writer, entries) =>
        {
            writer.WriteStartObject();
            writer.WriteStartArray("entries");
            foreach ((string replica, AuditEntry entry) in entries)
            {
                writer.WriteStartObject();
                writer.WriteString("replica", replica);
                AuditLog.WriteMembers(writer, entry);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            writer.WriteEndObject();
        });
    }

    private static void Write(Utf8JsonWriter writer, FleetStatus status)
    {
        writer.WriteStartObject();
        writer.WriteString("replica", status.Replica);
        writer.WriteString("database", status.Database);
        writer.WriteBoolean("connected", status.Connected);
        if (status.At is { } at) writer.WriteString("at", at.UtcDateTime);
        if (status.Error is not null) writer.WriteString("error", status.Error);
        if (status.Desired is { } desired)
        {
            writer.WritePropertyName("desired");
            Write(writer, desired);
        }
        if (status.Rollout is { } rollout) Write(writer, rollout);
        writer.WriteStartArray("replicas");
        foreach (ReplicaStatus replica in status.Replicas)
        {
            writer.WriteStartObject();
            writer.WriteString("name", replica.Name);
            writer.WriteString("address", replica.Address);
            writer.WriteString("version", replica.Version);
            if (replica.Sequence is { } sequence) writer.WriteNumber("sequence", sequence);
            writer.WriteString("since", replica.Since.UtcDateTime);
            writer.WriteBoolean("inStep", !replica.IsAway && replica.Sequence is not null && replica.Sequence == status.Desired?.Sequence);
            writer.WriteString("state", replica.IsAway ? "away" : replica.State);
            if (replica.Error is not null) writer.WriteString("error", replica.Error);
            writer.WriteString("startedAt", replica.StartedAt.UtcDateTime);
            writer.WriteString("lastSeen", replica.LastSeen.UtcDateTime);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, FleetRolloutStatus rollout)
    {
        writer.WriteStartObject("rollout");
        writer.WriteNumber("id", rollout.Id);
        writer.WriteString("rollout", rollout.Rollout);
        writer.WriteString("version", rollout.Version);
        writer.WriteString("state", rollout.State);
        writer.WriteString("mode", rollout.Together ? "together" : "sequential");
        if (rollout.Paused) writer.WriteBoolean("paused", true);
        if (rollout.Reason is not null) writer.WriteString("reason", rollout.Reason);
        writer.WriteString("startedAt", rollout.StartedAt.UtcDateTime);
        if (rollout.EndedAt is { } ended) writer.WriteString("endedAt", ended.UtcDateTime);
        writer.WriteStartArray("replicas");
        foreach (Rollout.RolloutPart part in rollout.Replicas) Rollout.RolloutJson.Part(writer, part);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, FleetChange change)
    {
        writer.WriteStartObject();
        writer.WriteNumber("sequence", change.Sequence);
        writer.WriteString("time", change.Time.UtcDateTime);
        writer.WriteString("version", change.Version);
        writer.WriteString("source", change.Source);
        writer.WriteString("actor", change.Actor);
        writer.WriteString("from", change.From);
        writer.WriteString("replica", change.Replica);
        if (change.Detail is not null) writer.WriteString("detail", change.Detail);
        if (change.BundleSequence is { } bundle) writer.WriteNumber("bundleSequence", bundle);
        writer.WriteEndObject();
    }

    private async Task<int?> LimitAsync(HttpContext context)
    {
        if (fleet is not null) return await ViewEndpoints.LimitAsync(context, "limit", DefaultLimit);
        await NoFleetAsync(context);
        return null;
    }

    private static async Task<IReadOnlyList<T>?> ReadAsync<T>(HttpContext context, Task<IReadOnlyList<T>> reading)
    {
        try
        {
            return await reading;
        }
        catch (Exception e) when (e is DbException or IOException or TimeoutException)
        {
            await AdminJson.ProblemAsync(context, 503, Apply.ApplyQueue.FleetUnavailable, "Fleet Unavailable", $"the fleet's database cannot be reached: {e.Message}; this replica's own are under /admin/history and /admin/audit");
            return null;
        }
    }

    private static Task NoFleetAsync(HttpContext context) =>
        AdminJson.ProblemAsync(context, 404, "no_fleet", "No Fleet", "this gateway is by itself; start it with --fleet or --fleet-file to make it a replica");
}
