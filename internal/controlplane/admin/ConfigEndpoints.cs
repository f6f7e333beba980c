using System.Buffers;
using System.Text.Json;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Documents;
using Gateway.ControlPlane.Rollout;
using Microsoft.AspNetCore.Http;

namespace Gateway.ControlPlane.Admin;

/// <summary>What changes or checks the configuration, and the live document itself.</summary>
internal sealed class ConfigEndpoints(ApplyQueue queue, RolloutDirector rollouts, StoredConfigurations stored)
{
    private const int MostRollbackBytes = 4096;

    public async Task ApplyAsync(HttpContext context, ChangeOrigin origin)
    {
        HttpRequest request = context.Request;
        bool dryRun = false;
        if (request.Query.TryGetValue("dryRun", out Microsoft.Extensions.Primitives.StringValues text) && !bool.TryParse(text.ToString(), out dryRun))
        {
            await AdminJson.ProblemAsync(context, 400, "bad_request", "Bad Request", $"dryRun is '{text}'; it is true or false");
            return;
        }
        using RequestBody? body = await ReadDocumentAsync(context);
        if (body is null) return;
        ConfigDocument document = new(body.Bytes, FormatOf(request.ContentType)!.Value);
        ApplyRequest apply = new(document, origin) { DryRun = dryRun, IfMatch = IfMatch(request), Rollout = (string?)request.Query["rollout"] };
        if (apply.Rollout is null) await AnswerAsync(context, await queue.ApplyAsync(apply, context.RequestAborted));
        else
        {
            (RolloutRecord? rollout, ApplyResult result) = await rollouts.StartAsync(apply, context.RequestAborted);
            await RolloutEndpoints.AnswerAsync(context, result, rollout);
        }
    }

    /// <summary>Takes the admin API's layer away.</summary>
    public async Task RemoveAsync(HttpContext context, ChangeOrigin origin)
    {
        string? previous = queue.Live?.Version;
        ApplyResult result = await queue.RemoveLayerAsync(origin, IfMatch(context.Request), context.RequestAborted);
        if (result is { Outcome: ApplyOutcome.UnknownVersion, Errors: [var error] })
            await AdminJson.ProblemAsync(context, error.Code == "no_layer" ? 404 : 409, error.Code, error.Code == "no_layer" ? "No Layer" : "Last Layer", error.Message);
        else await AnswerAsync(context, result, previous);
    }

    public async Task ValidateAsync(HttpContext context, ChangeOrigin origin)
    {
        using RequestBody? body = await ReadDocumentAsync(context);
        if (body is null) return;
        ConfigDocument document = new(body.Bytes, FormatOf(context.Request.ContentType)!.Value);
        ApplyResult result = await queue.ValidateAsync(document, context.RequestAborted);
        if (!result.IsGood) await AnswerAsync(context, result);
        else
        {
            await AdminJson.WriteAsync(context, 200, result, static (writer, result) =>
            {
                writer.WriteStartObject();
                writer.WriteBoolean("ok", true);
                writer.WriteString("version", result.Version);
                AdminJson.Errors(writer, "warnings", result.Warnings);
                writer.WriteEndObject();
            });
        }
    }

    public async Task RollbackAsync(HttpContext context, ChangeOrigin origin)
    {
        using RequestBody? body = await RequestBody.ReadAsync(context.Request, MostRollbackBytes, context.RequestAborted);
        string? version = null;
        if (body is null || !TryReadVersion(body.Bytes.Span, out version))
        {
            await AdminJson.ProblemAsync(context, 400, "bad_request", "Bad Request", "the body is empty, or {\"version\": \"…\"} with a version of /admin/history, or {\"at\": \"…\"} with a time");
            return;
        }
        string? previous = queue.Live?.Version;
        ApplyResult result = await queue.RollbackAsync(version, origin with { Source = "rollback" }, context.RequestAborted);
        await AnswerAsync(context, result, result.From ?? previous);
    }

    /// <summary>
    /// The exact bytes of the live document, or (<c>?version=</c>, <c>?at=VERSION|TIME</c>) of a stored one, or (<c>?layer=SOURCE</c>) of one of the layers it is made of. Secrets are in it as the references that were written; one
    /// that holds a secret itself is shown in its canonical form, without it.
    /// </summary>
    public async Task GetAsync(HttpContext context, ChangeOrigin origin)
    {
        if (context.Request.Query["layer"].ToString() is { Length: > 0 } layer)
        {
            await LayerEndpoint.GetAsync(context, queue, layer);
            return;
        }
        string? version = context.Request.Query["at"];
        version ??= context.Request.Query["version"];
        (byte[]? Content, string Version, DocumentFormat Format) found;
        try
        {
            found = version is null ? stored.Find(null) : stored.FindEither(version);
        }
        catch (IOException e)
        {
            await AdminJson.ProblemAsync(context, 500, ApplyLedger.StoreFailed, "Store Failed", $"the stored document cannot be read: {e.Message}");
            return;
        }
        if (found.Content is null)
        {
            await AdminJson.ProblemAsync(context, 404, "unknown_version", "Unknown Version", version is null ? "no configuration has been applied yet" : $"nothing is stored for '{version}'; GET /admin/history lists versions and times");
            return;
        }
        if (ShownDocument.Of(found.Content, found.Format) is not { } shown)
        {
            await AdminJson.ProblemAsync(context, 500, ApplyLedger.StoreFailed, "Store Failed", "the stored document cannot be read by this version of the gateway, so that it is not known what of it may be shown");
            return;
        }
        context.Response.Headers.ETag = $"\"{found.Version}\"";
        await AdminJson.WriteAsync(context, 200, shown.Content, shown.Format == DocumentFormat.Yaml ? "application/yaml" : "application/json");
    }

    /// <summary>Entity tags of <c>If-Match</c>, with or without quotes and weakness; null without the field, empty for <c>*</c>.</summary>
    internal static IReadOnlyList<string>? IfMatch(HttpRequest request)
    {
        string? field = request.Headers.IfMatch;
        if (field is null) return null;
        List<string> versions = [];
        foreach (string part in field.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (part == "*") return [];
            string tag = part.StartsWith("W/", StringComparison.Ordinal) ? part[2..] : part;
            versions.Add(tag.Trim('"').ToLowerInvariant());
        }
        // A field that names nothing matches nothing; an empty list would match anything.
        return versions.Count == 0 ? [""] : versions;
    }

    /// <summary>Null for a media type that is not a configuration's. None at all means JSON.</summary>
    internal static DocumentFormat? FormatOf(string? contentType)
    {
        string type = (contentType ?? "").Split(';')[0].Trim().ToLowerInvariant();
        return type switch
        {
            // The form type is what curl --data-binary says of any bytes; a browser cannot misuse it without the token.
            "" or "application/json" or "text/json" or "application/x-www-form-urlencoded" => DocumentFormat.Json,
            "application/yaml" or "application/x-yaml" or "text/yaml" or "text/x-yaml" => DocumentFormat.Yaml,
            _ => type.EndsWith("+json", StringComparison.Ordinal) ? DocumentFormat.Json : null,
        };
    }

    /// <summary>Null when it cannot be a configuration, which has been answered.</summary>
    internal static async Task<RequestBody?> ReadDocumentAsync(HttpContext context)
    {
        if (FormatOf(context.Request.ContentType) is null)
        {
            context.Response.Headers.Accept = "application/json, application/yaml";
            await AdminJson.ProblemAsync(context, 415, "unsupported_media_type", "Unsupported Media Type", $"a configuration is application/json or application/yaml, not '{context.Request.ContentType}'");
            return null;
        }
        if (context.Request.Headers.ContentEncoding.Count > 0 && context.Request.Headers.ContentEncoding != "identity")
        {
            context.Response.Headers.AcceptEncoding = "identity";
            await AdminJson.ProblemAsync(context, 415, "unsupported_media_type", "Unsupported Content Encoding", $"a configuration is sent as it is, not with the encoding '{context.Request.Headers.ContentEncoding}'");
            return null;
        }
        RequestBody? body = await RequestBody.ReadAsync(context.Request, ConfigDocument.MaxBytes, context.RequestAborted);
        // The rest of the body is not wanted.
        if (body is null)
        {
            context.Response.Headers.Connection = "close";
            await AdminJson.ProblemAsync(context, 413, "too_large", "Content Too Large", $"a configuration may have {ConfigDocument.MaxBytes} bytes");
        }
        return body;
    }

    internal static Task AnswerAsync(HttpContext context, ApplyResult result, string? previous = null)
    {
        if (result.LiveVersion is not null) context.Response.Headers.ETag = $"\"{result.LiveVersion}\"";
        switch (result.Outcome)
        {
            case ApplyOutcome.Applied or ApplyOutcome.Unchanged or ApplyOutcome.Valid:
                return AdminJson.WriteAsync(context, 200, (result, previous), static (writer, answer) =>
                {
                    writer.WriteStartObject();
                    writer.WriteBoolean("applied", answer.result.Outcome == ApplyOutcome.Applied);
                    writer.WriteString("version", answer.result.Version);
                    if (answer.previous is not null) writer.WriteString("previous", answer.previous);
                    AdminJson.Errors(writer, "warnings", answer.result.Warnings);
                    if (answer.result.LiveAfter is { } after) writer.WriteNumber("liveAfterMs", Math.Round(after.TotalMilliseconds, 3));
                    writer.WriteNumber("durationMs", Math.Round(answer.result.Duration.TotalMilliseconds, 3));
                    writer.WriteEndObject();
                });
            case ApplyOutcome.Rejected:
                return AdminJson.ProblemAsync(context, 400, "invalid_config", "Invalid Configuration", $"{result.Errors.Count} error(s); what was live stays live", result.Errors);
            case ApplyOutcome.Unsigned:
                return AdminJson.ProblemAsync(context, 403, "unsigned_refused", "Forbidden", result.Errors[0].Message, result.Errors);
            case ApplyOutcome.Stale:
                return AdminJson.ProblemAsync(context, 412, "stale", "Precondition Failed", result.Errors is [var stale, ..] ? stale.Message : $"the live version is {result.LiveVersion ?? "none"}, not the one in If-Match; read it, apply your change to it, and try again");
            case ApplyOutcome.RolloutRunning:
                return AdminJson.ProblemAsync(context, 409, result.ResultName, "Rollout Running", result.Errors[0].Message, result.Errors);
            case ApplyOutcome.RolloutEnded:
                return AdminJson.ProblemAsync(context, 409, result.ResultName, "Rollout Ended", result.Errors[0].Message, result.Errors);
            case ApplyOutcome.Behind:
                context.Response.Headers.RetryAfter = "1";
                return AdminJson.ProblemAsync(context, 409, result.ResultName, "Behind The Fleet", result.Errors[0].Message, result.Errors);
            case ApplyOutcome.Overtaken:
                return AdminJson.ProblemAsync(context, 409, result.ResultName, "Overtaken By A Rollback", result.Errors[0].Message, result.Errors);
            case ApplyOutcome.Pressure:
                context.Response.Headers.RetryAfter = "2";
                return AdminJson.ProblemAsync(context, 429, "config_pressure", "Too Many Configurations In Use", "more than 10 replaced configurations are still in use by requests; try again when some have ended");
            case ApplyOutcome.UnknownVersion:
                return AdminJson.ProblemAsync(context, 404, "unknown_version", "Unknown Version", result.Errors[0].Message, result.Errors);
            case ApplyOutcome.FleetUnavailable:
                context.Response.Headers.RetryAfter = "2";
                return AdminJson.ProblemAsync(context, 503, ApplyQueue.FleetUnavailable, "Fleet Unavailable", result.Errors[0].Message, result.Errors);
            case ApplyOutcome.Stopping:
                return AdminJson.ProblemAsync(context, 503, "stopping", "Shutting Down", "the gateway is shutting down");
            default:
                return AdminJson.ProblemAsync(context, 500, ApplyLedger.StoreFailed, "Store Failed", result.Errors[0].Message, result.Errors);
        }
    }

    // A time is answered for by the version that was live then; one that nothing is known of stays as it is and is unknown as a version.
    private bool TryReadVersion(ReadOnlySpan<byte> json, out string? version)
    {
        version = null;
        if (json.Trim(" \t\r\n"u8).IsEmpty) return true;
        try
        {
            using JsonDocument document = JsonDocument.Parse(json.ToArray());
            if (document.RootElement.ValueKind != JsonValueKind.Object) return false;
            foreach (JsonProperty property in document.RootElement.EnumerateObject())
            {
                if (version is not null || property.Name is not ("version" or "at") || property.Value.ValueKind is not (JsonValueKind.String or JsonValueKind.Null)) return false;
                version = property.Value.GetString();
                if (property.Name != "at" || version is null) continue;
                if (!StoredConfigurations.TryTime(version, out DateTimeOffset time)) return false;
                version = stored.VersionAt(time) ?? version;
            }
            return version is not "";
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
