using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Gateway.TestKit;

/// <summary>What an origin speaks.</summary>
public sealed record HttpOriginOptions
{
    /// <summary>Sent back in the header <c>x-origin</c> and in echoes.</summary>
    public string Id { get; init; } = "origin";

    /// <summary>Http1, Http2 (cleartext: prior knowledge), or both with TLS.</summary>
    public HttpProtocols Protocols { get; init; } = HttpProtocols.Http1;

    /// <summary>Serve TLS with this certificate.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>Refuse clients whose certificate does not chain to this authority.</summary>
    public X509Certificate2? ClientCa { get; init; }
}

/// <summary>A request as an origin got it. Header names as sent by the peer (lower case on HTTP/2).</summary>
public sealed record OriginRequest(string Method, string Target, string Protocol, IReadOnlyDictionary<string, string> Headers, string ConnectionId)
{
    public string? this[string name] => Headers.TryGetValue(name, out string? value) ? value : null;
}

/// <summary>
/// A well-behaved origin with ready-made endpoints; what an origin must do badly is <see cref="RawOrigin"/>'s job. The endpoints are listed
/// in <see cref="OriginEndpoints"/>; anything else is echoed as JSON (<see cref="Echo"/>). Records what it got, counts what is in flight
/// and what was aborted.
/// </summary>
public sealed class HttpOrigin : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<OriginRequest> _requests = new();
    private readonly ConcurrentDictionary<string, Gate> _gates = new();
    private readonly ConcurrentDictionary<string, RequestDelegate> _mapped = new();
    private readonly ConcurrentDictionary<string, byte> _connections = new();
    private int _inFlight, _maxInFlight, _aborted, _count;

    private HttpOrigin(HttpOriginOptions options, WebApplication app)
    {
        Options = options;
        _app = app;
    }

    public HttpOriginOptions Options { get; }

    public string Id => Options.Id;

    public int Port { get; private set; }

    /// <summary>As a configuration writes it: <c>127.0.0.1:PORT</c>.</summary>
    public string Address => $"127.0.0.1:{Port}";

    /// <summary>For clients that go to the origin without a gateway.</summary>
    public Uri Uri => new($"{(Options.Certificate is null ? "http" : "https")}://{Address}");

    /// <summary>Keep <see cref="Requests"/>. Off for load tests.</summary>
    public bool Record { get; set; } = true;

    public IReadOnlyList<OriginRequest> Requests => [.. _requests];

    public OriginRequest LastRequest => _requests.Last();

    /// <summary>Requests so far, recorded or not.</summary>
    public int RequestCount => Volatile.Read(ref _count);

    /// <summary>Requests whose endpoint runs now.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    public int MaxInFlight => Volatile.Read(ref _maxInFlight);

    /// <summary>Requests whose client went away before their endpoint had ended.</summary>
    public int Aborted => Volatile.Read(ref _aborted);

    /// <summary>Different connections that carried requests.</summary>
    public int ConnectionCount => _connections.Count;

    /// <summary>The gate that an endpoint stops at, by the name in its <c>gate</c> query parameter.</summary>
    public Gate Gate(string name) => _gates.GetOrAdd(name, n => new Gate(n));

    /// <summary>Serves a path in the test's own way.</summary>
    public void Map(string path, RequestDelegate endpoint) => _mapped[path] = endpoint;

    public static Task<HttpOrigin> StartAsync(string id = "origin") => StartAsync(new HttpOriginOptions { Id = id });

    /// <summary>HTTP/2 without TLS, by prior knowledge.</summary>
    public static Task<HttpOrigin> StartH2cAsync(string id = "origin") => StartAsync(new HttpOriginOptions { Id = id, Protocols = HttpProtocols.Http2 });

    public static async Task<HttpOrigin> StartAsync(HttpOriginOptions options)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        _ = builder.Logging.ClearProviders();
        _ = builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.AllowAlternateSchemes = true;
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Limits.MaxRequestLineSize = 128 << 10;
            kestrel.Limits.MaxRequestHeadersTotalSize = 256 << 10;
            kestrel.Limits.MaxRequestHeaderCount = 2000;
            kestrel.Limits.Http2.MaxRequestHeaderFieldSize = 128 << 10;
            kestrel.Limits.Http2.MaxStreamsPerConnection = 1000;
            kestrel.Listen(IPAddress.Loopback, 0, listen =>
            {
                listen.Protocols = options.Protocols;
                if (options.Certificate is not null) _ = listen.UseHttps(https => ConfigureTls(https, options));
            });
        });
        if (options.Certificate is not null) _ = builder.WebHost.UseKestrelHttpsConfiguration();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromMilliseconds(200));
        WebApplication app = builder.Build();
        var origin = new HttpOrigin(options, app);
        _ = app.UseWebSockets(new WebSocketOptions { KeepAliveInterval = TimeSpan.Zero });
        app.Run(origin.ServeAsync);
        await app.StartAsync();
        origin.Port = new Uri(app.Urls.First()).Port;
        return origin;
    }

    private static void ConfigureTls(HttpsConnectionAdapterOptions https, HttpOriginOptions options)
    {
        https.ServerCertificate = options.Certificate;
        if (options.ClientCa is not { } authority) return;
        https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
        https.ClientCertificateValidation = (certificate, _, _) =>
        {
            using var chain = new X509Chain();
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.CustomTrustStore.Add(authority);
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            return chain.Build(certificate);
        };
    }

    private async Task ServeAsync(HttpContext http)
    {
        _ = Interlocked.Increment(ref _count);
        _ = _connections.TryAdd(http.Connection.Id, 0);
        if (Record)
        {
            var headers = http.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase);
            _requests.Enqueue(new OriginRequest(http.Request.Method, RawTarget(http), http.Request.Protocol, headers, http.Connection.Id));
        }
        int now = Interlocked.Increment(ref _inFlight);
        for (int max = _maxInFlight; now > max && Interlocked.CompareExchange(ref _maxInFlight, now, max) != max; max = _maxInFlight) { }
        http.Response.Headers["x-origin"] = Id;
        bool finished = false;
        try
        {
            RequestDelegate endpoint = _mapped.TryGetValue(http.Request.Path.Value ?? "/", out RequestDelegate? mapped)
                ? mapped
                : OriginEndpoints.Find(this, http.Request.Path.Value ?? "/");
            await endpoint(http);
            finished = !http.RequestAborted.IsCancellationRequested;
        }
        catch (OperationCanceledException) { }
        catch (IOException) { }
        catch (System.Net.WebSockets.WebSocketException) { }
        finally
        {
            if (!finished) _ = Interlocked.Increment(ref _aborted);
            _ = Interlocked.Decrement(ref _inFlight);
        }
    }

    internal static string RawTarget(HttpContext http) => http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;

    public async ValueTask DisposeAsync()
    {
        foreach (Gate gate in _gates.Values) gate.Open();
        await _app.StopAsync(new CancellationToken(canceled: true));
        await _app.DisposeAsync();
    }
}
