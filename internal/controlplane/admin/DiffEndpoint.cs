using Gateway.Config;
using Gateway.ControlPlane.Apply;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;
using Microsoft.AspNetCore.Http;

namespace Gateway.ControlPlane.Admin;

/// <summary>
/// <c>POST /admin/diff</c>: a candidate against the live configuration, by what they say and by what they do with requests. With
/// <c>?at=VERSION|TIME</c> against a stored one; with <c>?with=VERSION|TIME</c> the candidate is a stored one too, and there is no body.
/// </summary>
internal sealed class DiffEndpoint(DataPlaneHost host, ApplyQueue queue, StoredSnapshots snapshots)
{
    public async Task HandleAsync(HttpContext context, ChangeOrigin origin)
    {
        IQueryCollection query = context.Request.Query;
        string? with = query["with"];
        using RequestBody? body = with is null ? await ConfigEndpoints.ReadDocumentAsync(context) : null;
        if (with is null && body is null) return;
        if (await snapshots.AtAsync(context, query["at"]) is not { } before) return;
        ConfigDocument? document = body is null
            ? await snapshots.FindAsync(context, with!)
            : new ConfigDocument(body.Bytes, ConfigEndpoints.FormatOf(context.Request.ContentType)!.Value);
        if (document is null || await snapshots.CompileAsync(context, document) is not { } candidate) return;
        DiffView.Answer answer = await queue.CompareAsync(() => Compare(before, candidate.Snapshot!, host.Replay(candidate.Snapshot!, before), candidate.Warnings), context.RequestAborted);
        await AdminJson.WriteAsync(context, 200, answer, DiffView.Write);
    }

    private static DiffView.Answer Compare(GatewaySnapshot live, GatewaySnapshot candidate, ReplayReport? replay, IReadOnlyList<ConfigError> warnings) =>
        new(live.Version, candidate.Version, ConfigDifference.Between(live.Config, candidate.Config), DataPlaneHost.Compare(live, candidate), replay, warnings);
}
