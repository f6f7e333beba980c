using System.Net;
using System.Security.Cryptography.X509Certificates;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Bundles;
using Gateway.ControlPlane.Fleet;
using Gateway.ControlPlane.Rollout;
using Gateway.ControlPlane.Store;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Gateway.ControlPlane.Admin;

/// <summary>
/// The routes of the admin API and who may use them. Everything under <c>/admin/</c> takes the bearer token, always; the probes take none,
/// and <c>/metrics</c> none from loopback.
/// </summary>
public sealed partial class AdminApi
{
    private sealed record Endpoint(string Method, Func<HttpContext, ChangeOrigin, Task> Handle);

    private readonly Dictionary<string, Endpoint[]> _endpoints;
    private readonly AdminToken _token;
    private readonly LoginGuard _guard;
    private readonly ProbeEndpoints _probes;
    private readonly RolloutEndpoints _rollouts;
    private readonly AuditLog _audit;
    private readonly MetricFamily _logins;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    public AdminApi(DataPlaneHost host, ApplyQueue queue, ConfigStore store, AuditLog audit, Readiness readiness, AdminToken token, BundleIntake bundles, RolloutDirector rollouts, TimeProvider time, ILoggerFactory loggers, FleetMember? fleet = null)
    {
        StoredConfigurations stored = new(queue, store);
        ConfigEndpoints config = new(queue, rollouts, stored);
        ViewEndpoints views = new(host, queue, stored, audit, readiness);
        StoredSnapshots snapshots = new(host, queue, stored);
        ExplainEndpoint explain = new(host, snapshots);
        DiffEndpoint diff = new(host, queue, snapshots);
        BundleEndpoint bundle = new(bundles);
        FleetEndpoints replicas = new(fleet);
        _rollouts = new RolloutEndpoints(rollouts, time);
        _probes = new ProbeEndpoints(readiness, host.Metrics);
        _token = token;
        _audit = audit;
        _time = time;
        _guard = new LoginGuard(time);
        _logger = loggers.CreateLogger("gateway.admin");
        _logins = host.Metrics.Counter("admin_logins_failed_total", "Requests to the admin API that were refused for their token, by reason.", "reason");
        _endpoints = new Dictionary<string, Endpoint[]>(StringComparer.Ordinal)
        {
            ["/admin/config"] = [new("GET", config.GetAsync), new("POST", config.ApplyAsync), new("DELETE", config.RemoveAsync)],
            ["/admin/validate"] = [new("POST", config.ValidateAsync)],
            ["/admin/diff"] = [new("POST", diff.HandleAsync)],
            ["/admin/explain"] = [new("POST", explain.HandleAsync)],
            ["/admin/bundle"] = [new("POST", bundle.HandleAsync)],
            ["/admin/rollouts"] = [new("GET", _rollouts.ListAsync)],
            ["/admin/rollouts/events"] = [new("GET", (context, _) => _rollouts.EventsAsync(context, null))],
            ["/admin/rollback"] = [new("POST", config.RollbackAsync)],
            ["/admin/snapshot"] = [new("GET", views.SnapshotAsync)],
            ["/admin/history"] = [new("GET", views.HistoryAsync)],
            ["/admin/pools"] = [new("GET", views.PoolsAsync)],
            ["/admin/routes"] = [new("GET", views.RoutesAsync)],
            ["/admin/fleet"] = [new("GET", replicas.StatusAsync)],
            ["/admin/fleet/history"] = [new("GET", replicas.HistoryAsync)],
            ["/admin/fleet/audit"] = [new("GET", replicas.AuditAsync)],
            ["/admin/audit"] = [new("GET", views.AuditAsync)],
        };
    }

    /// <summary>One request of the admin listener.</summary>
    public async Task HandleAsync(HttpContext context)
    {
        string path = context.Request.Path.Value ?? "";
        if (await HandleProbeAsync(context, path)) return;
        // The token comes first: without it not even the names of the routes are told.
        if (!await AuthenticateAsync(context)) return;
        if ((_endpoints.GetValueOrDefault(path) ?? OfOneRollout(path)) is not { } endpoints)
        {
            await AdminJson.ProblemAsync(context, 404, "not_found", "Not Found", $"there is no '{path}'; there are {string.Join(", ", _endpoints.Keys)}, /livez, /readyz and /metrics");
            return;
        }
        string method = HttpMethods.IsHead(context.Request.Method) ? "GET" : context.Request.Method;
        if (Array.Find(endpoints, e => e.Method == method) is not { } endpoint)
        {
            await MethodNotAllowedAsync(context, string.Join(", ", endpoints.Select(static e => e.Method == "GET" ? "GET, HEAD" : e.Method)));
            return;
        }
        await endpoint.Handle(context, OriginOf(context));
    }

    /// <summary>One request of the listener that <c>metrics.listener</c> asks for: metrics and probes, no token, nothing else.</summary>
    public async Task HandleSideAsync(HttpContext context)
    {
        string path = context.Request.Path.Value ?? "";
        if (path == "/metrics") await GetOnlyAsync(context, _probes.MetricsAsync);
        else if (!await HandleHealthAsync(context, path)) await AdminJson.ProblemAsync(context, 404, "not_found", "Not Found", "there are /metrics, /livez and /readyz");
    }

    private Endpoint[]? OfOneRollout(string path) => path.Split('/') is not ["", "admin", "rollouts", { Length: > 0 } id, .. string[] rest] ? null : rest switch
    {
        [] => [new("GET", (context, _) => _rollouts.ShowAsync(context, id))],
        ["events"] => [new("GET", (context, _) => _rollouts.EventsAsync(context, id))],
        [var verb] when RolloutEndpoints.ActionOf(verb) is { } action => [new("POST", (context, origin) => _rollouts.ActAsync(context, origin, id, action))],
        _ => null,
    };

    private async Task<bool> HandleProbeAsync(HttpContext context, string path)
    {
        if (path == "/metrics")
        {
            bool local = context.Connection.RemoteIpAddress is { } address && IPAddress.IsLoopback(address);
            if (local && context.Request.Headers.Authorization.Count == 0)
            {
                if (!await RefuseForeignHostAsync(context)) await GetOnlyAsync(context, _probes.MetricsAsync);
            }
            else if (await AuthenticateAsync(context)) await GetOnlyAsync(context, _probes.MetricsAsync);
            return true;
        }
        return await HandleHealthAsync(context, path);
    }

    private async Task<bool> HandleHealthAsync(HttpContext context, string path)
    {
        if (path == "/livez") await GetOnlyAsync(context, ProbeEndpoints.LivezAsync);
        else if (path == "/readyz") await GetOnlyAsync(context, _probes.ReadyzAsync);
        else return false;
        return true;
    }

    private static Task GetOnlyAsync(HttpContext context, Func<HttpContext, Task> handle) =>
        context.Request.Method is "GET" or "HEAD" ? handle(context) : MethodNotAllowedAsync(context, "GET, HEAD");

    private static Task MethodNotAllowedAsync(HttpContext context, string allowed)
    {
        context.Response.Headers.Allow = allowed;
        return AdminJson.ProblemAsync(context, 405, "method_not_allowed", "Method Not Allowed", $"'{context.Request.Path}' takes {allowed}");
    }

    /// <summary>
    /// A page in a browser on this machine can make a name of its own resolve to 127.0.0.1 (DNS rebinding) and then read what takes no
    /// token. Its requests carry that name in Host.
    /// </summary>
    private static async Task<bool> RefuseForeignHostAsync(HttpContext context)
    {
        string host = context.Request.Host.Host;
        if (host.Length == 0 || host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || IPAddress.TryParse(host.Trim('[', ']'), out _)) return false;
        await AdminJson.ProblemAsync(context, 403, "forbidden", "Forbidden", $"the host is '{host}'; without a token use an IP address or localhost");
        return true;
    }

    private async Task<bool> AuthenticateAsync(HttpContext context)
    {
        IPAddress? address = context.Connection.RemoteIpAddress;
        string field = context.Request.Headers.Authorization.ToString();
        bool bearer = field.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase);
        TimeSpan locked = _guard.LockedFor(address);
        if (locked > TimeSpan.Zero)
        {
            // It stays locked for whoever else has the address.
            if (bearer && _guard.MayCheck(address) && IsRight()) return await IsSameOriginAsync(context);
            _logins.Add(1, "locked_out");
            context.Response.Headers.RetryAfter = Math.Ceiling(locked.TotalSeconds).ToString(System.Globalization.CultureInfo.InvariantCulture);
            await AdminJson.ProblemAsync(context, 429, "locked_out", "Too Many Failed Logins", $"too many wrong tokens came from {address}; try again in {Math.Ceiling(locked.TotalSeconds)} s");
            return false;
        }
        if (bearer && IsRight())
        {
            _guard.Succeeded(address);
            return await IsSameOriginAsync(context);
        }
        if (field.Length == 0)
        {
            // Nothing was guessed, so nothing is counted: a probe that lacks the token locks nobody out.
            _logins.Add(1, "missing");
        }
        else
        {
            _logins.Add(1, "wrong");
            if (_guard.Failed(address)) NoteLockOut(address);
        }
        context.Response.Headers.WWWAuthenticate = "Bearer realm=\"gateway admin\"";
        await AdminJson.ProblemAsync(context, 401, "unauthorized", "Unauthorized", field.Length == 0 ? "send the admin token: Authorization: Bearer TOKEN (by default it is in DATA/admin.token)" : "the token is not the admin token");
        return false;

        bool IsRight() => _token.Accepts(field.AsSpan("Bearer ".Length).Trim());
    }

    /// <summary>No page has business here, not even one that was given the token.</summary>
    private static async Task<bool> IsSameOriginAsync(HttpContext context)
    {
        string origin = context.Request.Headers.Origin.ToString();
        if (origin.Length == 0 || (Uri.TryCreate(origin, UriKind.Absolute, out Uri? uri) && uri.Authority.Equals(context.Request.Host.Value, StringComparison.OrdinalIgnoreCase))) return true;
        await AdminJson.ProblemAsync(context, 403, "forbidden", "Forbidden", "requests from pages of other origins are refused");
        return false;
    }

    private void NoteLockOut(IPAddress? address)
    {
        string from = address?.ToString() ?? "";
        LogLockOut(_logger, from, (int)LoginGuard.LockOut.TotalSeconds);
        try
        {
            _audit.Append(new AuditEntry(_time.GetUtcNow(), "anonymous", from, "login", "admin", null, "locked_out", $"{LoginGuard.MostFailures} wrong tokens"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogAuditFailed(_logger, e);
        }
    }

    private static ChangeOrigin OriginOf(HttpContext context)
    {
        X509Certificate2? certificate = context.Connection.ClientCertificate;
        string actor = certificate is null ? "token" : $"token, {certificate.Subject}";
        return new ChangeOrigin("admin", actor, context.Connection.RemoteIpAddress is { } address ? new IPEndPoint(address, context.Connection.RemotePort).ToString() : "");
    }

    [LoggerMessage(1201, LogLevel.Warning, "{Address} sent too many wrong admin tokens and is locked out for {Seconds} s")]
    private static partial void LogLockOut(ILogger logger, string address, int seconds);

    [LoggerMessage(1202, LogLevel.Error, "cannot write the audit log")]
    private static partial void LogAuditFailed(ILogger logger, Exception exception);
}
