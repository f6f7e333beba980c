using Gateway.ControlPlane.Apply;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;
using Microsoft.AspNetCore.Http;

namespace Gateway.ControlPlane.Admin;

/// <summary>Snapshots to look at, never to publish: of documents that were sent, and of what was live earlier. What cannot be had is answered here.</summary>
internal sealed class StoredSnapshots(DataPlaneHost host, ApplyQueue queue, StoredConfigurations stored)
{
    /// <param name="at">A stored version or a time, or the version of a candidate that is being tried; null for the live one.</param>
    /// <returns>Null when it has been answered why there is none.</returns>
    public async Task<GatewaySnapshot?> AtAsync(HttpContext context, string? at)
    {
        if (at is null || at == queue.Live?.Version)
        {
            if (host.Current is null) await AdminJson.ProblemAsync(context, 503, "not_ready", "Not Ready", "no configuration has been applied yet");
            return host.Current;
        }
        // It is in no history yet.
        if (host.Candidate is { } candidate && (at == candidate.Version || (at.Length >= RollbackTarget.ShortestPrefix && candidate.Version.StartsWith(at, StringComparison.Ordinal)))) return candidate;
        return await FindAsync(context, at) is { } document ? (await CompileAsync(context, document))?.Snapshot : null;
    }

    /// <returns>Null when it has been answered why there is none.</returns>
    public async Task<ConfigDocument?> FindAsync(HttpContext context, string at)
    {
        (byte[]? Content, string Version, DocumentFormat Format) found;
        try
        {
            found = stored.FindEither(at);
        }
        catch (IOException e)
        {
            await AdminJson.ProblemAsync(context, 500, ApplyLedger.StoreFailed, "Store Failed", $"the stored document cannot be read: {e.Message}");
            return null;
        }
        if (found.Content is not null) return new ConfigDocument(found.Content, found.Format).AsWhole();
        await AdminJson.ProblemAsync(context, 404, "unknown_version", "Unknown Version", $"nothing is stored for '{at}'; GET /admin/history lists versions and times");
        return null;
    }

    /// <returns>A candidate with its snapshot; null when its errors have been answered.</returns>
    public async Task<Candidate?> CompileAsync(HttpContext context, ConfigDocument document)
    {
        Candidate candidate = await queue.CompileAsync(document, context.RequestAborted);
        if (candidate.Snapshot is not null) return candidate;
        await AdminJson.ProblemAsync(context, 400, "invalid_config", "Invalid Configuration", $"{candidate.Errors.Count} error(s)", candidate.Errors);
        return null;
    }
}
