using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Documents;
using Microsoft.AspNetCore.Http;

namespace Gateway.ControlPlane.Admin;

/// <summary><c>GET /admin/config?layer=SOURCE</c>: what a source brought, as it brought it; without the secrets that stand in it.</summary>
internal static class LayerEndpoint
{
    public static async Task GetAsync(HttpContext context, ApplyQueue queue, string source)
    {
        ConfigDocument? document;
        try
        {
            document = queue.ReadLayer(source);
        }
        catch (IOException e)
        {
            await AdminJson.ProblemAsync(context, 500, ApplyLedger.StoreFailed, "Store Failed", $"the layer cannot be read: {e.Message}");
            return;
        }
        if (document is null)
        {
            await AdminJson.ProblemAsync(context, 404, "no_layer", "No Layer", $"'{source}' brought nothing of what is live; GET /admin/snapshot lists the layers");
            return;
        }
        if (ShownDocument.OfLayer(document.Content, document.Format) is not { } shown)
        {
            await AdminJson.ProblemAsync(context, 500, ApplyLedger.StoreFailed, "Store Failed", "the stored layer cannot be read by this version of the gateway, so that it is not known what of it may be shown");
            return;
        }
        context.Response.Headers.ETag = $"\"{document.Digest}\"";
        await AdminJson.WriteAsync(context, 200, shown.Content, shown.Format == DocumentFormat.Yaml ? "application/yaml" : "application/json");
    }
}
