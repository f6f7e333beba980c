using System.Globalization;
using System.Net.Mime;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Headers;
using Microsoft.Net.Http.Headers;

namespace Gateway.Ctl.Distributor;

/// <summary>
/// What a distributor answers: <c>GET /bundles</c>, <c>/bundles/latest</c> and <c>/bundles/VERSION</c>, with entity tags, and for the latest
/// with waiting until there is another (RFC 7240, <c>Prefer: wait=30</c>). Nothing of a request's path reaches the file system. Thread safe.
/// </summary>
/// <param name="token">Null for none asked.</param>
/// <param name="stopping">Ends the waiting.</param>
internal sealed class DistributorApi(BundleFolder bundles, BearerToken? token, TimeProvider time, CancellationToken stopping)
{
    private const string BundleType = "application/vnd.dsse.envelope.v1+json";
    private const int DigestLength = 64;

    public Task HandleAsync(HttpContext context)
    {
        string path = context.Request.Path.Value ?? "";
        if (path == "/livez") return WriteAsync(context, 200, MediaTypeNames.Text.Plain, "ok\n"u8.ToArray());
        if (token is not null && !token.Accepts(context.Request.Headers.Authorization.ToString()))
        {
            context.Response.Headers.WWWAuthenticate = "Bearer realm=\"bundles\"";
            return ProblemAsync(context, 401, "unauthorized", "Unauthorized", "send the distributor's token: Authorization: Bearer TOKEN");
        }
        if (!HttpMethods.IsGet(context.Request.Method) && !HttpMethods.IsHead(context.Request.Method))
        {
            context.Response.Headers.Allow = "GET, HEAD";
            return ProblemAsync(context, 405, "method_not_allowed", "Method Not Allowed", "bundles are published into the distributor's folder: gatewayctl bundle publish");
        }
        if (path == "/bundles") return ConditionalAsync(context, bundles.Current.ListDigest, MediaTypeNames.Application.Json, bundles.Current.List);
        if (path == "/bundles/latest") return LatestAsync(context);
        return path.StartsWith("/bundles/", StringComparison.Ordinal) ? VersionAsync(context, path["/bundles/".Length..]) : ProblemAsync(context, 404, "not_found", "Not Found", "there are /bundles, /bundles/latest and /bundles/VERSION");
    }

    private async Task LatestAsync(HttpContext context)
    {
        RequestHeaders headers = context.Request.GetTypedHeaders();
        TimeSpan? wait = WaitPreference.Of(context.Request.Headers["Prefer"]);
        if (wait is { } longest)
        {
            context.Response.Headers["Preference-Applied"] = $"wait={longest.TotalSeconds.ToString(CultureInfo.InvariantCulture)}";
            using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
            Task timeout = Task.Delay(longest, time, end.Token);
            for (BundleCatalog catalog = bundles.Current; IsKnown(headers, catalog.Latest) && !timeout.IsCompleted; catalog = bundles.Current)
            {
                if (await Task.WhenAny(catalog.Replaced, timeout) == timeout) break;
            }
            await end.CancelAsync();
            if (context.RequestAborted.IsCancellationRequested) return;
        }
        if (bundles.Current.Latest is { } latest) await BundleAsync(context, latest);
        else await ProblemAsync(context, 404, "no_bundle", "No Bundle", "no bundle has been published yet");
    }

    /// <summary>There is nothing that the client does not have.</summary>
    private static bool IsKnown(RequestHeaders headers, PublishedBundle? latest) => latest is null || Matches(headers, latest.Digest);

    private Task VersionAsync(HttpContext context, string version)
    {
        if (version.Length != DigestLength || version.AsSpan().ContainsAnyExcept("0123456789abcdef"))
            return ProblemAsync(context, 400, "bad_version", "Bad Request", $"a version is {DigestLength} hexadecimal digits in lower case; GET /bundles lists those that are there");
        return bundles.Current.Find(version) is { } bundle ? BundleAsync(context, bundle) : ProblemAsync(context, 404, "unknown_version", "Unknown Version", "no bundle of this version is there; GET /bundles lists those that are");
    }

    private static Task BundleAsync(HttpContext context, PublishedBundle bundle)
    {
        context.Response.Headers.LastModified = bundle.CreatedAt.ToString("R", CultureInfo.InvariantCulture);
        return ConditionalAsync(context, bundle.Digest, BundleType, bundle.Content);
    }

    private static Task ConditionalAsync(HttpContext context, string digest, string mediaType, byte[] content)
    {
        context.Response.Headers.ETag = $"\"{digest}\"";
        context.Response.Headers.CacheControl = "no-cache";
        if (!Matches(context.Request.GetTypedHeaders(), digest)) return WriteAsync(context, 200, mediaType, content);
        context.Response.StatusCode = 304;
        return Task.CompletedTask;
    }

    private static bool Matches(RequestHeaders headers, string digest) =>
        headers.IfNoneMatch.Any(tag => tag.Tag == "*" || tag.Compare(new EntityTagHeaderValue($"\"{digest}\""), useStrongComparison: false));

    private static Task ProblemAsync(HttpContext context, int status, string category, string title, string detail)
    {
        string json = $$"""{"type": "urn:gateway:{{category}}", "title": "{{title}}", "status": {{status}}, "detail": "{{JavaScriptEncoder.Default.Encode(detail)}}"}""" + "\n";
        return WriteAsync(context, status, "application/problem+json", System.Text.Encoding.UTF8.GetBytes(json));
    }

    private static Task WriteAsync(HttpContext context, int status, string mediaType, byte[] content)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = mediaType;
        context.Response.ContentLength = content.Length;
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : context.Response.Body.WriteAsync(content, context.RequestAborted).AsTask();
    }
}
