using System.Net;
using System.Text;
using System.Text.Json;
using Gateway.Config;
using Gateway.ControlPlane.Apply;
using Gateway.Core.Router;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;
using Microsoft.AspNetCore.Http;

namespace Gateway.ControlPlane.Admin;

/// <summary>
/// <c>POST /admin/explain</c>: what becomes of a request, and why; on the live snapshot, on a stored version (<c>at</c>), or on a candidate
/// document (<c>config</c>).
/// </summary>
internal sealed class ExplainEndpoint(DataPlaneHost host, StoredSnapshots snapshots)
{
    private const int MostCandidates = 1000;

    public async Task HandleAsync(HttpContext context, ChangeOrigin origin)
    {
        using RequestBody? body = await RequestBody.ReadAsync(context.Request, ConfigDocument.MaxBytes, context.RequestAborted);
        if (body is null)
        {
            await AdminJson.ProblemAsync(context, 413, "too_large", "Content Too Large", $"a request to explain may have {ConfigDocument.MaxBytes} bytes, its document included");
            return;
        }
        if (ExplainBody.Parse(body.Bytes, out string problem) is not { } asked)
        {
            await BadAsync(context, problem);
            return;
        }
        GatewaySnapshot? snapshot = asked.Document is { } document
            ? (await snapshots.CompileAsync(context, document))?.Snapshot
            : await snapshots.AtAsync(context, asked.At);
        if (snapshot is null) return;
        if (host.Explain(snapshot, asked.Query, out problem) is not { } explanation)
        {
            await BadAsync(context, problem);
            return;
        }
        await AdminJson.WriteAsync(context, 200, explanation, ExplanationView.Write);
    }

    private static Task BadAsync(HttpContext context, string problem) => AdminJson.ProblemAsync(context, 400, "bad_request", "Bad Request", problem);

    /// <summary>The body of the request, strictly read.</summary>
    internal sealed record ExplainBody(ExplainQuery Query, string? At, ConfigDocument? Document)
    {
        private const string Form = "{\"method\": \"GET\", \"url\": \"https://host/path\", \"headers\": {\"name\": \"value\"}, \"clientIp\": \"192.0.2.1\"}";

        public static ExplainBody? Parse(ReadOnlyMemory<byte> json, out string problem)
        {
            try
            {
                using JsonDocument document = JsonDocument.Parse(json);
                return Read(document.RootElement, out problem);
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException)
            {
                // InvalidOperationException: a text with half a surrogate pair.
                problem = $"the body is not the JSON of {Form}: {e.Message}";
                return null;
            }
        }

        private static ExplainBody? Read(JsonElement root, out string problem)
        {
            problem = $"the body is an object as in {Form}";
            if (root.ValueKind != JsonValueKind.Object) return null;
            string method = "GET";
            string? url = null, listener = null, clientIp = null, at = null;
            int limit = 50;
            IReadOnlyList<KeyValuePair<string, string>>? headers = [];
            ConfigDocument? config = null;
            foreach (JsonProperty field in root.EnumerateObject())
            {
                bool isText = field.Value.ValueKind == JsonValueKind.String;
                switch (field.Name)
                {
                    case "method" when isText: method = field.Value.GetString()!; break;
                    case "url" when isText: url = field.Value.GetString(); break;
                    case "listener" when isText: listener = field.Value.GetString(); break;
                    case "clientIp" when isText: clientIp = field.Value.GetString(); break;
                    case "at" when isText: at = field.Value.GetString(); break;
                    case "headers": headers = DescribedHeaders.Read(field.Value); break;
                    case "candidates" when field.Value.ValueKind == JsonValueKind.Number && field.Value.TryGetInt32(out limit) && limit is >= 0 and <= MostCandidates: break;
                    // JSON as it stands, or a document in YAML as one text.
                    case "config" when field.Value.ValueKind == JsonValueKind.Object: config = new ConfigDocument(Encoding.UTF8.GetBytes(field.Value.GetRawText()), DocumentFormat.Json); break;
                    case "config" when isText: config = new ConfigDocument(Encoding.UTF8.GetBytes(field.Value.GetString()!), DocumentFormat.Yaml); break;
                    default:
                        problem = $"\"{field.Name}\" is not known or has no such value; the body is as in {Form}, with \"listener\", \"at\" (version or time), \"config\" (a document) and \"candidates\" (0 to {MostCandidates}) as options";
                        return null;
                }
            }
            if (url is null) problem = "\"url\" is missing; give it as https://host/path";
            else if (headers is null) problem = "\"headers\" is an object of names with a text or a list of texts each";
            else if (at is not null && config is not null) problem = "\"at\" and \"config\" both say which configuration; give one of them";
            else if (Address(clientIp, out IPAddress? address) && DescribedRequest.Parse(method, url, headers, out problem) is { } request)
                return new ExplainBody(new ExplainQuery(request) { Listener = listener, ClientIp = address, Candidates = limit }, at, config);
            else if (clientIp is not null && address is null) problem = $"clientIp is \"{clientIp}\"; it is an IP address";
            return null;
        }

        private static bool Address(string? text, out IPAddress? address)
        {
            address = null;
            return text is null || IPAddress.TryParse(text, out address);
        }
    }
}
