using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Gateway.DataPlane.Runtime;
using Microsoft.AspNetCore.Http;

namespace Gateway.DataPlane.Proxy;

/// <summary>
/// The answers that the gateway makes itself: problem+json (RFC 9457), or for gRPC a response of trailers only. Once a response has started
/// there is none to make: the stream is cut off.
/// </summary>
internal static class ErrorResponder
{
    private static readonly string[] ProxyStatus =
        Array.ConvertAll(Enum.GetValues<ErrorCategory>(), static c => $"{ForwardingHeaders.Pseudonym}; error={ErrorCategories.Of(c).ProxyStatusError}");

    public static async ValueTask RespondAsync(RequestContext context)
    {
        IDownstream client = context.Downstream;
        ErrorCategories.Facts facts = ErrorCategories.Of(context.Category);
        // Bytes of a body that were written count as started, flushed or not: there is no taking them back.
        if (client.ResponseStarted || context.ResponseBytes != 0)
        {
            context.Status = client.StatusCode;
            client.Abort(facts.Label);
            return;
        }
        if (context.Category == ErrorCategory.ClientClosed)
        {
            context.Status = facts.Status;
            client.Abort(facts.Label);
            return;
        }

        IHeaderDictionary headers = client.ResponseHeaders;
        headers.Clear();
        if (context.RequestId.Length != 0) headers["X-Request-Id"] = context.RequestId.ToString();
        headers["Proxy-Status"] = ProxyStatus[(int)context.Category];
        if (context.Category is ErrorCategory.Overloaded or ErrorCategory.RateLimited or ErrorCategory.CircuitOpen)
            headers.RetryAfter = Math.Max(1, (long)Math.Ceiling(context.RetryAfter.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        // Where the framing is in doubt, so is where the next request would begin.
        if (context.Category is ErrorCategory.BadRequest or ErrorCategory.RequestTimeoutClient && client.Protocol != "HTTP/2") headers.Connection = "close";
        if (context.IsGrpc)
        {
            context.Status = client.StatusCode = 200;
            headers.ContentType = "application/grpc";
            headers["grpc-status"] = facts.GrpcStatus.ToString(CultureInfo.InvariantCulture);
            headers["grpc-message"] = Uri.EscapeDataString(context.Detail ?? facts.Title);
            return;
        }

        context.Status = client.StatusCode = context.FailStatus != 0 ? context.FailStatus : facts.Status;
        headers.ContentType = "application/problem+json";
        headers.CacheControl = "no-store";
        byte[] body = Problem(context, facts);
        headers.ContentLength = body.Length;
        await client.StartResponseAsync();
        if (client.Method == "HEAD") return;
        // WriteAsync, for the Write extension takes the empty span that a gone client's writer gives for a mistake.
        await client.ResponseBody.WriteAsync(body);
        context.ResponseBytes = body.Length;
    }

    private static byte[] Problem(RequestContext context, in ErrorCategories.Facts facts)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using var json = new Utf8JsonWriter(buffer);
        json.WriteStartObject();
        json.WriteString("type", "urn:gateway:" + facts.Label);
        json.WriteString("title", facts.Title);
        json.WriteNumber("status", context.Status);
        json.WriteString("detail", context.Detail ?? facts.Title);
        json.WriteString("category", facts.Label);
        json.WriteString("requestId", context.RequestId.ToString());
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }
}
