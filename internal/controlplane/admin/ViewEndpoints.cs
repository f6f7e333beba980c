using System.Globalization;
using System.Text.Json;
using Gateway.Config;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Layers;
using Gateway.ControlPlane.Store;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;
using Microsoft.AspNetCore.Http;

namespace Gateway.ControlPlane.Admin;

/// <summary>What is live, and how it came to be.</summary>
internal sealed class ViewEndpoints(DataPlaneHost host, ApplyQueue queue, StoredConfigurations stored, AuditLog audit, Readiness readiness)
{
    private const int DefaultLimit = 100;

    public Task SnapshotAsync(HttpContext context, ChangeOrigin origin)
    {
        if (queue.Live is not { } live || host.Current is not { } snapshot) return NothingLiveAsync(context);
        context.Response.Headers.ETag = $"\"{live.Version}\"";
        return AdminJson.WriteAsync(context, 200, (host, live, snapshot, pull: readiness.Pull), static (writer, at) =>
        {
            writer.WriteStartObject();
            writer.WriteString("version", at.live.Version);
            writer.WriteString("source", at.live.Origin.Source);
            writer.WriteString("actor", at.live.Origin.Actor);
            writer.WriteString("compiledAt", at.snapshot.CompiledAt.UtcDateTime);
            writer.WriteString("appliedAt", at.live.AppliedAt.UtcDateTime);
            writer.WriteStartArray("listeners");
            foreach (ListenerStatus listener in at.host.Listeners())
            {
                writer.WriteStartObject();
                writer.WriteString("name", listener.Name);
                writer.WriteString("address", listener.Address);
                writer.WriteString("boundAddress", listener.BoundAddress);
                writer.WriteBoolean("tls", listener.Tls);
                writer.WriteNumber("connections", listener.Connections);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            writer.WriteNumber("routes", at.snapshot.Config.Routes.Count);
            writer.WriteNumber("pools", at.snapshot.Config.Pools.Count);
            writer.WriteNumber("retiredSnapshots", at.host.RetiredSnapshots);
            LayerJson.Write(writer, at.live.Layers.All, layer => !at.live.Layers.Effective.Contains(layer));
            if (at.pull is not null) PullView.Write(writer, at.pull);
            AdminJson.Errors(writer, "warnings", at.live.Warnings);
            writer.WriteEndObject();
        });
    }

    public async Task HistoryAsync(HttpContext context, ChangeOrigin origin)
    {
        if (await LimitAsync(context, "limit", DefaultLimit) is not { } limit) return;
        if (HistoryFilter.Read(context.Request.Query, out string problem) is not { } filter)
        {
            await AdminJson.ProblemAsync(context, 400, "bad_request", "Bad Request", problem);
            return;
        }
        await AdminJson.WriteAsync(context, 200, (Records: stored.History().Where(filter.Takes), queue.Live, limit), static (writer, at) =>
        {
            writer.WriteStartObject();
            writer.WriteStartArray("entries");
            foreach (HistoryRecord record in at.Records.Reverse().Take(at.limit)) WriteEntry(writer, record, record.IsApplied && record.Sequence == at.Live?.Sequence);
            writer.WriteEndArray();
            writer.WriteEndObject();
        });
    }

    public async Task PoolsAsync(HttpContext context, ChangeOrigin origin)
    {
        if (await LimitAsync(context, "ledger", PoolView.DefaultLedger) is not { } ledger) return;
        IEnumerable<PoolStatus> pools = host.Pools();
        if ((string?)context.Request.Query["pool"] is { } name)
        {
            pools = pools.Where(p => p.Name == name);
            if (!pools.Any())
            {
                await AdminJson.ProblemAsync(context, 404, "not_found", "Not Found", $"there is no pool '{name}' in the live configuration");
                return;
            }
        }
        await AdminJson.WriteAsync(context, 200, (Pools: pools.OrderBy(static p => p.Name, StringComparer.Ordinal), ledger), static (writer, at) =>
        {
            writer.WriteStartObject();
            writer.WriteStartArray("pools");
            foreach (PoolStatus pool in at.Pools) PoolView.Write(writer, pool, at.ledger);
            writer.WriteEndArray();
            writer.WriteEndObject();
        });
    }

    public async Task RoutesAsync(HttpContext context, ChangeOrigin origin)
    {
        if (queue.Live is not { } live || host.Current is not { } snapshot)
        {
            await NothingLiveAsync(context);
            return;
        }
        if (await LimitAsync(context, "limit", 1000) is not { } limit || await LimitAsync(context, "offset", 0) is not { } offset) return;
        if (await LimitAsync(context, "ledger", RouteStateView.DefaultLedger) is not { } ledger) return;
        await AdminJson.WriteAsync(context, 200, (host, snapshot, live, limit, offset, ledger), static (writer, at) =>
        {
            GatewayConfig config = at.snapshot.Config;
            IReadOnlyList<string> all = [.. config.Listeners.Select(static l => l.Name)];
            writer.WriteStartObject();
            writer.WriteString("version", at.snapshot.Version);
            writer.WriteNumber("total", config.Routes.Count);
            writer.WriteStartArray("routes");
            for (int i = at.offset; i < config.Routes.Count && i - at.offset < at.limit; i++)
                RouteView.Write(writer, config.Routes[i], all, ShadowOf(at.live, i), at.host.RouteStatus(at.snapshot, i), at.ledger);
            writer.WriteEndArray();
            writer.WriteEndObject();
        });
    }

    public async Task AuditAsync(HttpContext context, ChangeOrigin origin)
    {
        if (await LimitAsync(context, "limit", DefaultLimit) is not { } limit) return;
        await AdminJson.WriteAsync(context, 200, audit.Newest(limit), static (writer, entries) =>
        {
            writer.WriteStartObject();
            writer.WriteStartArray("entries");
            foreach (JsonElement entry in entries) entry.WriteTo(writer);
            writer.WriteEndArray();
            writer.WriteEndObject();
        });
    }

    private static void WriteEntry(Utf8JsonWriter writer, HistoryRecord record, bool live)
    {
        writer.WriteStartObject();
        JournalLine.WriteMembers(writer, record);
        writer.WriteBoolean("live", live);
        writer.WriteEndObject();
    }

    private static string? ShadowOf(LiveConfiguration live, int route)
    {
        string path = $"routes[{route}]";
        return live.Warnings.FirstOrDefault(w => w.Code == ConfigErrorCodes.ShadowedRoute && (w.Path == path || w.Path.StartsWith(path + ".", StringComparison.Ordinal)))?.Message;
    }

    private static Task NothingLiveAsync(HttpContext context) =>
        AdminJson.ProblemAsync(context, 503, "not_ready", "Not Ready", "no configuration has been applied yet");

    /// <summary>Null when the parameter was bad, which has been answered.</summary>
    internal static async Task<int?> LimitAsync(HttpContext context, string name, int otherwise)
    {
        string? text = context.Request.Query[name];
        if (text is null) return otherwise;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int limit)) return limit;
        await AdminJson.ProblemAsync(context, 400, "bad_request", "Bad Request", $"{name} is '{text}'; it is a whole number from 0");
        return null;
    }
}
