using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Gateway.Config;
using Microsoft.AspNetCore.Http;

namespace Gateway.ControlPlane.Admin;

/// <summary>Answers of the admin API, written by hand: a serializer would cost more at start than all the rest of the admin plane.</summary>
internal static class AdminJson
{
    // Not for HTML: quotes and signs stay readable.
    private static readonly JsonWriterOptions Layout = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static async Task WriteAsync<T>(HttpContext context, int status, T state, Action<Utf8JsonWriter, T> write, string contentType = "application/json")
    {
        ArrayBufferWriter<byte> body = new(1024);
        using (Utf8JsonWriter writer = new(body, Layout)) write(writer, state);
        body.Write("\n"u8);
        await WriteAsync(context, status, body.WrittenMemory, contentType);
    }

    public static async Task WriteAsync(HttpContext context, int status, ReadOnlyMemory<byte> body, string contentType)
    {
        HttpResponse response = context.Response;
        response.StatusCode = status;
        response.ContentType = contentType;
        response.ContentLength = body.Length;
        response.Headers.CacheControl = "no-store";
        response.Headers.XContentTypeOptions = "nosniff";
        if (!HttpMethods.IsHead(context.Request.Method)) _ = await response.BodyWriter.WriteAsync(body, context.RequestAborted);
    }

    /// <summary>RFC 9457, with all errors of a document at once.</summary>
    public static Task ProblemAsync(HttpContext context, int status, string code, string title, string detail, IReadOnlyList<ConfigError>? errors = null) =>
        WriteAsync(context, status, (status, code, title, detail, errors), static (writer, problem) =>
        {
            writer.WriteStartObject();
            writer.WriteString("type", $"urn:gateway:{problem.code}");
            writer.WriteString("title", problem.title);
            writer.WriteNumber("status", problem.status);
            writer.WriteString("detail", problem.detail);
            Errors(writer, "errors", problem.errors ?? [new ConfigError("", problem.code, problem.detail)]);
            writer.WriteEndObject();
        }, "application/problem+json");

    public static void Errors(Utf8JsonWriter writer, string name, IReadOnlyList<ConfigError> errors)
    {
        writer.WriteStartArray(name);
        foreach (ConfigError error in errors)
        {
            writer.WriteStartObject();
            writer.WriteString("path", error.Path);
            writer.WriteString("code", error.Code);
            writer.WriteString("message", error.Message);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }
}
