using Gateway.Config;
using Gateway.ControlPlane.Apply;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;
using Microsoft.AspNetCore.Http;

namespace Gateway.ControlPlane.Admin;

/// <summary><c>POST /admin/diff</c>: a candidate against the live configuration, by what they say and by what they do with requests.</summary>
internal sealed class DiffEndpoint(DataPlaneHost host, ApplyQueue queue)
{
    public async Task HandleAsync(HttpContext context, ChangeOrigin origin)
    {
        using RequestBody? body = await ConfigEndpoints.ReadDocumentAsync(context);
        if (body is null) return;
        if (host.Current is not { } live)
        {
            await AdminJson.ProblemAsync(context, 503, "not_ready", "Not Ready", "no configuration has been applied yet, so there is nothing to compare with");
            return;
        }
        ConfigDocument document = new(body.Bytes, ConfigEndpoints.FormatOf(context.Request.ContentType)!.Value);
        Candidate candidate = await queue.CompileAsync(document, context.RequestAborted);
        if (candidate.Snapshot is not { } snapshot)
        {
            await AdminJson.ProblemAsync(context, 400, "invalid_config", "Invalid Configuration", $"{candidate.Errors.Count} error(s)", candidate.Errors);
            return;
        }
        DiffView.Answer answer = await queue.CompareAsync(() => Compare(live, snapshot, host.Replay(snapshot), candidate.Warnings), context.RequestAborted);
        await AdminJson.WriteAsync(context, 200, answer, DiffView.Write);
    }

    private static DiffView.Answer Compare(GatewaySnapshot live, GatewaySnapshot candidate, ReplayReport? replay, IReadOnlyList<ConfigError> warnings) =>
        new(live.Version, candidate.Version, ConfigDifference.Between(live.Config, candidate.Config), DataPlaneHost.Compare(live, candidate), replay, warnings);
}
