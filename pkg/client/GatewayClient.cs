using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Gateway.Client;

/// <summary>
/// The admin API of a gateway. Every method throws <see cref="GatewayApiException"/> when the gateway refuses, <see cref="HttpRequestException"/>
/// when it cannot be reached, and <see cref="TaskCanceledException"/> when the call is cancelled or takes longer than the timeout. Nothing is
/// retried. Thread safe; make one and keep it.
/// </summary>
public sealed partial class GatewayClient : IDisposable
{
    private readonly HttpClient _http;

    /// <summary>A client with connections of its own, without proxy and redirects: the token goes to the server named and nowhere else.</summary>
    public GatewayClient(GatewayClientOptions options) : this(options, CreateHandler(options))
    {
    }

    /// <summary>A client over <paramref name="handler"/>, which then decides on TLS; it is disposed with the client.</summary>
    public GatewayClient(GatewayClientOptions options, HttpMessageHandler handler)
    {
        _http = new HttpClient(handler) { BaseAddress = options.Server, Timeout = options.Timeout };
        if (options.Token is not null) _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", options.Token);
    }

    /// <summary>Makes a document the live configuration. Errors: 400 with all of them, 412 when <paramref name="ifMatch"/> is not the live version.</summary>
    /// <param name="document">The document's bytes.</param>
    /// <param name="format">The language they are in.</param>
    /// <param name="ifMatch">The version that must be live for this to happen; null for any.</param>
    /// <param name="dryRun">Do everything but apply it.</param>
    public Task<ApplyResult> ApplyAsync(
        ReadOnlyMemory<byte> document, DocumentFormat format = DocumentFormat.Json, string? ifMatch = null, bool dryRun = false,
        CancellationToken cancellationToken = default)
    {
        HttpRequestMessage request = WithDocument(dryRun ? "/admin/config?dryRun=true" : "/admin/config", document, format);
        if (ifMatch is not null) _ = request.Headers.TryAddWithoutValidation("If-Match", $"\"{ifMatch}\"");
        return SendAsync(request, ClientJson.Default.ApplyResult, cancellationToken);
    }

    /// <summary>Takes away what the admin API brought: what other sources brought is live then. Errors: 404 when it brought nothing, 409 when nothing would be left, 412 as above.</summary>
    public Task<ApplyResult> RemoveAsync(string? ifMatch = null, CancellationToken cancellationToken = default)
    {
        var request = new HttpRequestMessage(HttpMethod.Delete, "/admin/config");
        if (ifMatch is not null) _ = request.Headers.TryAddWithoutValidation("If-Match", $"\"{ifMatch}\"");
        return SendAsync(request, ClientJson.Default.ApplyResult, cancellationToken);
    }

    /// <summary>Checks a document against everything but the live version. Errors: 400 with all of them.</summary>
    public Task<ValidateResult> ValidateAsync(
        ReadOnlyMemory<byte> document, DocumentFormat format = DocumentFormat.Json, CancellationToken cancellationToken = default) =>
        SendAsync(WithDocument("/admin/validate", document, format), ClientJson.Default.ValidateResult, cancellationToken);

    /// <summary>Brings a signed bundle, which goes through the rollout <c>default</c> (<see cref="ApplyResult.Id"/>) or, without stages, is live at once. Errors: 409 while a rollout runs, 400 with the reason as the first error's code, 413 when it is larger than 10 MiB.</summary>
    public Task<ApplyResult> PushBundleAsync(ReadOnlyMemory<byte> bundle, CancellationToken cancellationToken = default) =>
        SendAsync(WithDocument("/admin/bundle", bundle, DocumentFormat.Json), ClientJson.Default.ApplyResult, cancellationToken);

    /// <summary>Goes back to an applied version: the one before the live one when <paramref name="version"/> is null. Errors: 404 for a version that is not kept.</summary>
    public Task<RollbackResult> RollbackAsync(string? version = null, CancellationToken cancellationToken = default)
    {
        byte[] body = JsonSerializer.SerializeToUtf8Bytes(new RollbackRequest(version), ClientJson.Default.RollbackRequest);
        return SendAsync(WithDocument("/admin/rollback", body, DocumentFormat.Json), ClientJson.Default.RollbackResult, cancellationToken);
    }

    /// <summary>Goes back to what was live at that time. Errors: 404 when nothing that old is kept.</summary>
    public Task<RollbackResult> RollbackAsync(DateTimeOffset at, CancellationToken cancellationToken = default)
    {
        byte[] body = JsonSerializer.SerializeToUtf8Bytes(new RollbackRequest(null, at), ClientJson.Default.RollbackRequest);
        return SendAsync(WithDocument("/admin/rollback", body, DocumentFormat.Json), ClientJson.Default.RollbackResult, cancellationToken);
    }

    /// <summary>
    /// Says what becomes of a request, and why, changing nothing. Errors: 400 for a URL that is none or a candidate document with errors, 404
    /// for a version or time that nothing is stored for.
    /// </summary>
    public Task<Explanation> ExplainAsync(ExplainRequest request, CancellationToken cancellationToken = default) =>
        SendAsync(WithDocument("/admin/explain", JsonSerializer.SerializeToUtf8Bytes(request, ClientJson.Default.ExplainRequest), DocumentFormat.Json), ClientJson.Default.Explanation, cancellationToken);

    /// <summary>Compares a document with what is live, by what they say and by what they do with requests; changes nothing. Errors: 400 with all of the document's.</summary>
    public Task<Difference> DiffAsync(
        ReadOnlyMemory<byte> document, DocumentFormat format = DocumentFormat.Json, CancellationToken cancellationToken = default) =>
        SendAsync(WithDocument("/admin/diff", document, format), ClientJson.Default.Difference, cancellationToken);

    /// <summary>Compares a document with a stored configuration, as <see cref="DiffAsync(ReadOnlyMemory{byte}, DocumentFormat, CancellationToken)"/> does with the live one.</summary>
    /// <param name="document">The document's bytes.</param>
    /// <param name="at">A version or a time; errors: 404 when nothing is stored for it.</param>
    /// <param name="format">The language the bytes are in.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    public Task<Difference> DiffAsync(ReadOnlyMemory<byte> document, string at, DocumentFormat format = DocumentFormat.Json, CancellationToken cancellationToken = default) =>
        SendAsync(WithDocument($"/admin/diff?at={Uri.EscapeDataString(at)}", document, format), ClientJson.Default.Difference, cancellationToken);

    /// <summary>Compares two stored configurations, each named by version or time; <paramref name="before"/> null for the live one.</summary>
    public Task<Difference> DiffStoredAsync(string? before, string after, CancellationToken cancellationToken = default) =>
        SendAsync(new HttpRequestMessage(HttpMethod.Post, $"/admin/diff?with={Uri.EscapeDataString(after)}{(before is null ? "" : $"&at={Uri.EscapeDataString(before)}")}"), ClientJson.Default.Difference, cancellationToken);

    /// <summary>What is live.</summary>
    public Task<Snapshot> GetSnapshotAsync(CancellationToken cancellationToken = default) =>
        SendAsync(Get("/admin/snapshot"), ClientJson.Default.Snapshot, cancellationToken);

    /// <summary>The live document, as it was applied, with secrets as the references they were written as.</summary>
    public Task<ConfigDocument> GetConfigAsync(CancellationToken cancellationToken = default) => GetConfigAsync(null, cancellationToken);

    /// <summary>The document that was live at a time, or of a stored version; null for the live one. Errors: 404 when nothing is stored for it.</summary>
    public Task<ConfigDocument> GetConfigAsync(string? at, CancellationToken cancellationToken = default) =>
        GetDocumentAsync(at is null ? "/admin/config" : $"/admin/config?at={Uri.EscapeDataString(at)}", cancellationToken);

    /// <summary>What a source (<c>file</c>, <c>admin</c>, <c>bundle</c>) brought to the live configuration; its digest takes the version's place. Errors: 404 when it brought nothing.</summary>
    public Task<ConfigDocument> GetLayerAsync(string source, CancellationToken cancellationToken = default) =>
        GetDocumentAsync($"/admin/config?layer={Uri.EscapeDataString(source)}", cancellationToken);

    private async Task<ConfigDocument> GetDocumentAsync(string path, CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = await SendAsync(Get(path), cancellationToken);
        byte[] bytes = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        return new ConfigDocument(
            response.Headers.ETag?.Tag.Trim('"') ?? "", response.Content.Headers.ContentType?.MediaType ?? "application/json", bytes);
    }

    /// <summary>The last applies and rollbacks, newest first.</summary>
    public Task<History> GetHistoryAsync(int limit = 100, CancellationToken cancellationToken = default) =>
        GetHistoryAsync(new HistoryQuery { Limit = limit }, cancellationToken);

    /// <summary>The applies and rollbacks that meet every condition of the query, newest first.</summary>
    public Task<History> GetHistoryAsync(HistoryQuery query, CancellationToken cancellationToken = default)
    {
        (string Name, string? Value)[] conditions =
        [
            ("version", query.Version), ("source", query.Source), ("result", query.Result),
            ("since", query.Since?.ToString("O", CultureInfo.InvariantCulture)), ("until", query.Until?.ToString("O", CultureInfo.InvariantCulture)),
        ];
        string more = string.Concat(conditions.Where(static c => c.Value is not null).Select(static c => $"&{c.Name}={Uri.EscapeDataString(c.Value!)}"));
        return SendAsync(Get($"/admin/history?limit={query.Limit}{more}"), ClientJson.Default.History, cancellationToken);
    }

    /// <summary>Pools with their endpoints and what they do now.</summary>
    /// <param name="pool">One pool's name; null for all.</param>
    /// <param name="ledger">Entries of each ledger at most; null for the gateway's own number, 10.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="GatewayApiException">Status 404: there is no such pool.</exception>
    public Task<PoolList> GetPoolsAsync(string? pool = null, int? ledger = null, CancellationToken cancellationToken = default)
    {
        string query = string.Join('&', ((string?[])[pool is null ? null : "pool=" + Uri.EscapeDataString(pool), ledger is null ? null : $"ledger={ledger}"]).OfType<string>());
        return SendAsync(Get(query.Length == 0 ? "/admin/pools" : "/admin/pools?" + query), ClientJson.Default.PoolList, cancellationToken);
    }

    /// <summary>A page of the live routes, in the order of the document.</summary>
    public Task<RouteList> GetRoutesAsync(int offset = 0, int limit = 1000, int? ledger = null, CancellationToken cancellationToken = default) =>
        SendAsync(Get($"/admin/routes?offset={offset}&limit={limit}{(ledger is { } entries ? $"&ledger={entries}" : "")}"), ClientJson.Default.RouteList, cancellationToken);

    /// <summary>Who changed what, or tried to, newest first.</summary>
    public Task<AuditLog> GetAuditAsync(int limit = 100, CancellationToken cancellationToken = default) =>
        SendAsync(Get($"/admin/audit?limit={limit}"), ClientJson.Default.AuditLog, cancellationToken);

    /// <summary>The replicas of the fleet and what each serves. Errors: 404 from a gateway that is in none.</summary>
    public Task<Fleet> GetFleetAsync(CancellationToken cancellationToken = default) =>
        SendAsync(Get("/admin/fleet"), ClientJson.Default.Fleet, cancellationToken);

    /// <summary>The fleet's last changes, newest first. Errors: 503 while its database is away.</summary>
    public Task<FleetHistory> GetFleetHistoryAsync(int limit = 100, CancellationToken cancellationToken = default) =>
        SendAsync(Get($"/admin/fleet/history?limit={limit}"), ClientJson.Default.FleetHistory, cancellationToken);

    /// <summary>Who changed what at any replica, or tried to, newest first. Errors: 503 while the fleet's database is away.</summary>
    public Task<FleetAuditLog> GetFleetAuditAsync(int limit = 100, CancellationToken cancellationToken = default) =>
        SendAsync(Get($"/admin/fleet/audit?limit={limit}"), ClientJson.Default.FleetAuditLog, cancellationToken);

    /// <summary>Whether the gateway takes traffic, and what its checks say. Not being ready is an answer here, not an error.</summary>
    public async Task<Readiness> GetReadinessAsync(CancellationToken cancellationToken = default)
    {
        using HttpResponseMessage response = await _http.SendAsync(Get("/readyz?verbose"), cancellationToken);
        if (response.StatusCode is not (HttpStatusCode.OK or HttpStatusCode.ServiceUnavailable)) throw await ReadErrorAsync(response, cancellationToken);
        return await ReadAsync(response, ClientJson.Default.Readiness, cancellationToken);
    }

    /// <summary>All metrics as Prometheus text.</summary>
    public async Task<string> GetMetricsAsync(CancellationToken cancellationToken = default)
    {
        using HttpResponseMessage response = await SendAsync(Get("/metrics"), cancellationToken);
        return await response.Content.ReadAsStringAsync(cancellationToken);
    }

    public void Dispose() => _http.Dispose();

    private static SocketsHttpHandler CreateHandler(GatewayClientOptions options)
    {
        var handler = new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false };
        if (options.ClientCertificate is not null) handler.SslOptions.ClientCertificates = [options.ClientCertificate];
        if (options.Authorities is not null)
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.AddRange(options.Authorities);
            handler.SslOptions.CertificateChainPolicy = policy;
        }
        return handler;
    }

    private static HttpRequestMessage Get(string path) => new(HttpMethod.Get, path);

    private static HttpRequestMessage WithDocument(string path, ReadOnlyMemory<byte> document, DocumentFormat format)
    {
        var content = new ReadOnlyMemoryContent(document);
        content.Headers.ContentType = new MediaTypeHeaderValue(format == DocumentFormat.Yaml ? "application/yaml" : "application/json");
        return new HttpRequestMessage(HttpMethod.Post, path) { Content = content };
    }

    private async Task<T> SendAsync<T>(HttpRequestMessage request, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = await SendAsync(request, cancellationToken);
        return await ReadAsync(response, type, cancellationToken);
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        HttpResponseMessage response = await _http.SendAsync(request, cancellationToken);
        if (response.IsSuccessStatusCode) return response;
        using (response) throw await ReadErrorAsync(response, cancellationToken);
    }

    private static async Task<T> ReadAsync<T>(HttpResponseMessage response, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        byte[] body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        try
        {
            return JsonSerializer.Deserialize(body, type) ?? throw new JsonException("the answer is null");
        }
        catch (JsonException e)
        {
            throw new HttpRequestException($"{response.RequestMessage?.RequestUri} did not answer as an admin API does: {e.Message}", e);
        }
    }

    private static async Task<GatewayApiException> ReadErrorAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        int status = (int)response.StatusCode;
        byte[] body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        Problem? problem = null;
        try
        {
            problem = JsonSerializer.Deserialize(body, ClientJson.Default.Problem);
        }
        catch (JsonException)
        {
            // Not a gateway's answer (a proxy on the way, another server): the status alone says what is known.
        }
        return new GatewayApiException(status, problem?.Detail ?? problem?.Title ?? $"HTTP {status} {response.ReasonPhrase}", problem?.Errors ?? []);
    }
}
