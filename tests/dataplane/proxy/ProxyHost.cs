using System.Buffers;
using System.Collections.Concurrent;
using System.Net;
using Gateway.Config;
using Gateway.Core.Breaker;
using Gateway.Core.Limits;
using Gateway.Core.Pool;
using Gateway.Core.Retry;
using Gateway.Core.Router;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Policy;
using Gateway.DataPlane.Proxy;
using Gateway.DataPlane.Proxy.Direct;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Gateway.DataPlane.Tests.Proxy;

/// <summary>What a test wants of the one route, pool and listener that it forwards through.</summary>
internal sealed record ProxyOptions
{
    public UpstreamProtocol Protocol { get; init; } = UpstreamProtocol.Http1;
    public UpstreamTls? Tls { get; init; }
    public TimeSpan Request { get; init; } = Timeout.InfiniteTimeSpan;
    public TimeSpan Attempt { get; init; } = Timeout.InfiniteTimeSpan;
    public TimeSpan Idle { get; init; } = Timeout.InfiniteTimeSpan;
    public TimeSpan Connect { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Plain requests have the short way, where there is one.</summary>
    public bool ShortWay { get; init; } = true;

    /// <summary>How long a client may send no request, where it has the short way.</summary>
    public TimeSpan ClientIdle { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How long the rest of a request is waited for there; null for as long as always.</summary>
    public TimeSpan? ClientRest { get; init; }
    public int MaxConnections { get; init; }

    /// <summary>Per endpoint at once; 0 for as many as come.</summary>
    public int MaxRequests { get; init; }
    public QueueSettings Queue { get; init; } = new(10, TimeSpan.FromSeconds(20));
    public long BodyBytes { get; init; }
    public long? RouteBodyBytes { get; init; }
    public int UrlBytes { get; init; } = 8192;
    public int HeaderCount { get; init; } = 100;
    public int HeaderBytes { get; init; } = 65536;
    public string[] TrustedProxies { get; init; } = [];
    public int[] Weights { get; init; } = [1];
    public BalancerKind Balancer { get; init; } = BalancerKind.RoundRobin;
    public RouteConfig? Route { get; init; }

    /// <summary>The route is for this host alone; null for every one.</summary>
    public string? OnlyHost { get; init; }
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>One attempt, unless a test is about more.</summary>
    public AttemptPlan Attempts { get; init; } = Plan(1);
    public BreakerSettings? Breaker { get; init; }

    /// <summary>Without waits between attempts.</summary>
    public static AttemptPlan Plan(
        int attempts, RetryConditions on = RetryConditions.Connect | RetryConditions.Reset | RetryConditions.Refused, int bufferBytes = 65536,
        RetryBudgetSettings? budget = null, RetryBudgetSettings? perClient = null, string? clientHeader = null, string? deadlineHeader = null, HedgePlan? hedge = null) => new()
        {
            Retry = new RetryPolicy(attempts, on),
            Backoff = new Backoff(TimeSpan.Zero, TimeSpan.Zero),
            BufferBytes = bufferBytes,
            Budget = budget ?? new RetryBudgetSettings(),
            PerClient = perClient,
            ClientHeader = clientHeader,
            DeadlineHeader = deadlineHeader,
            Hedge = hedge,
        };
}

/// <summary>The request application under a Kestrel of its own, with one hand-made snapshot: real sockets, nothing of the server around it.</summary>
internal sealed class ProxyHost : IAsyncDisposable
{
    // The same tests hold for both transports: GATEWAY_TEST_TRANSPORT=sockets runs them on .NET's; and with =kestrel on the loops, but
    // through Kestrel, also what would take the short way.
    private static readonly EpollTransport? Loops =
        OperatingSystem.IsLinux() && Environment.GetEnvironmentVariable("GATEWAY_TEST_TRANSPORT") != "sockets" ? new EpollTransport(2, NullLogger.Instance) : null;

    /// <summary>Clients and HTTP/1.1 upstreams are on event loops.</summary>
    public static bool OnLoops => Loops is not null;

    /// <summary>Null where they are not.</summary>
    public static EventLoop[]? EventLoops => Loops?.Loops;

    private readonly KestrelServer _http1;
    private readonly KestrelServer _http2;
    private int _handedOver;

    private ProxyHost(KestrelServer http1, KestrelServer http2)
    {
        _http1 = http1;
        _http2 = http2;
    }

    public Uri Address { get; private set; } = null!;

    /// <summary>What serves the requests.</summary>
    public GatewayApplication Application { get; private set; } = null!;

    /// <summary>The same, for HTTP/2 by prior knowledge.</summary>
    public Uri Http2Address { get; private set; } = null!;

    public SnapshotStore Snapshots { get; } = new();
    public EndpointModel[] Endpoints { get; private set; } = [];
    public LogSink Log { get; } = new();
    public GatewayMetrics Metrics { get; } = new([.. Enum.GetValues<ErrorCategory>().Select(static c => ErrorCategories.Of(c).Label)]);

    /// <summary>Requests and tunnels on the endpoints now.</summary>
    public int InFlight => Endpoints.Sum(static e => e.State.Load.InFlight);

    public int UpstreamInFlight => Endpoints.Sum(static e => e.Upstream.Load.InFlight);

    public static Task<ProxyHost> StartAsync(string address, ProxyOptions? options = null) => StartAsync([address], options);

    public static async Task<ProxyHost> StartAsync(string[] addresses, ProxyOptions? options = null)
    {
        options ??= new ProxyOptions();
        var log = new LogSink();
        GatewayApplication application = null!;
        ProxyHost? host = null;
        KestrelServer http1 = Server(HttpProtocols.Http1, log, next => host!.Direct(next, () => application, options));
        KestrelServer http2 = Server(HttpProtocols.Http2, log);
        host = new ProxyHost(http1, http2);
        var services = new ProxyServices(host.Snapshots, host.Metrics, options.Time, new OneLogger(host.Log));
        var state = new ListenerState("test") { Slot = 0 };
        host.Publish(addresses, options, state);
        host.Application = application = new GatewayApplication(services, state);
        await http1.StartAsync(application, CancellationToken.None);
        await http2.StartAsync(new GatewayApplication(services, state), CancellationToken.None);
        host.Address = AddressOf(http1);
        host.Http2Address = AddressOf(http2);
        return host;
    }

    /// <summary>The short way goes through here.</summary>
    public static bool IsDirect { get; } = OnLoops && Environment.GetEnvironmentVariable("GATEWAY_TEST_TRANSPORT") != "kestrel";

    /// <summary>Connections that the short way has handed over to Kestrel.</summary>
    public int HandedOver => Volatile.Read(ref _handedOver);

    private ConnectionDelegate Direct(ConnectionDelegate kestrel, Func<GatewayApplication> application, ProxyOptions options)
    {
        if (!IsDirect || !options.ShortWay) return kestrel;
        DirectHttp1? direct = null;
        return connection => (direct ??= new DirectHttp1(
            next =>
            {
                Interlocked.Increment(ref _handedOver);
                return kestrel(next);
            },
            application(), application(), options.ClientIdle, options.Time, options.ClientRest)).OnConnectionAsync(connection);
    }

    private void Publish(string[] addresses, ProxyOptions options, ListenerState listener)
    {
        Endpoints = [.. addresses.Select((address, i) => new EndpointModel
        {
            Address = address,
            Weight = options.Weights[Math.Min(i, options.Weights.Length - 1)],
            State = new EndpointState("pool", address),
            Upstream = new UpstreamFactory(Loops?.Loops).Create(new UpstreamSettings(address, options.Protocol, options.Connect, options.MaxConnections, 256, TimeSpan.FromSeconds(90), TimeSpan.Zero,
                options.Tls ?? (options.Protocol == UpstreamProtocol.Https ? UpstreamTls.Default : null))),
        })];
        var pool = new PoolModel(new PoolState("pool", Metrics.Pool("pool"), options.Time), new EndpointPlan(new Balancing(options.Balancer), PanicThreshold: 50, MostRequests: options.MaxRequests, Queue: options.Queue, MostConnections: options.MaxConnections), Endpoints, previous: null)
        {
            Protocol = options.Protocol,
            Breaker = options.Breaker,
        };
        List<ConfigError> errors = [];
        var route = new RouteModel
        {
            Name = "route",
            Pool = pool,
            Filters = options.Route is null ? [] : BuiltInFeatures.Compile(new FeatureSite(options.Route, new RouteState("r", new RouteMetrics("r")), PriorityRule.Default, options.Time, null, "routes[0]", errors)),
            MaxBodyBytes = options.RouteBodyBytes,
            RequestTimeout = options.Request,
            AttemptTimeout = options.Attempt,
            IdleTimeout = options.Idle,
            Attempts = options.Attempts,
            State = new RouteState("route", Metrics.Route("route")),
        };
        Xunit.Assert.Empty(errors);
        Metrics.Attach(route.State.Metrics);
        Metrics.Attach(pool.State.Metrics);
        var config = new ListenerConfig { Name = "test", Address = "127.0.0.1:0" };
        var model = new ListenerModel
        {
            Name = "test",
            Config = config,
            EndPoint = new IPEndPoint(IPAddress.Loopback, 0),
            State = listener,
            Tls = null,
            Routes = RouteTable<RouteModel>.Compile([new RouteRule<RouteModel>("route", route) { Hosts = options.OnlyHost is null ? [] : [options.OnlyHost] }]),
            TrustedProxies = [.. options.TrustedProxies.Select(IPNetwork.Parse)],
            MaxUrlBytes = options.UrlBytes,
            MaxHeaderCount = options.HeaderCount,
            MaxHeaderBytes = options.HeaderBytes,
            MaxBodyBytes = options.BodyBytes,
        };
        Snapshots.Publish(new GatewaySnapshot("test") { Listeners = [model], ListenersBySlot = [model], Routes = [route], Pools = [pool] });
    }

    private static KestrelServer Server(HttpProtocols protocols, LogSink log, Func<ConnectionDelegate, ConnectionDelegate>? way = null)
    {
        var options = new KestrelServerOptions();
        GatewayApplication.Configure(options);
        options.Limits.MaxRequestLineSize = 128 * 1024;
        options.Limits.MaxRequestHeadersTotalSize = 256 * 1024;
        options.Limits.MaxRequestHeaderCount = 2000;
        options.Limits.MinRequestBodyDataRate = null;
        options.Limits.MinResponseDataRate = null;
        options.Limits.Http2.MaxRequestHeaderFieldSize = 256 * 1024;
        options.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = protocols;
            listen.Use(LoopAffinity.Middleware);
            if (way is not null) listen.Use(way);
        });
        return new KestrelServer(Options.Create(options), Loops ?? (IConnectionListenerFactory)new SocketTransportFactory(Options.Create(new SocketTransportOptions()), NullLoggerFactory.Instance), new OneLogger(log));
    }

    public string Scrape()
    {
        var buffer = new ArrayBufferWriter<byte>();
        Metrics.Write(buffer, openMetrics: false);
        return System.Text.Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary>Requests recorded for the route.</summary>
    public long RouteTotal() => Scrape().Split('\n').Where(static l => l.StartsWith("gateway_requests_total{route=\"route\"", StringComparison.Ordinal))
        .Sum(static l => long.Parse(l[(l.LastIndexOf(' ') + 1)..], System.Globalization.CultureInfo.InvariantCulture));

    private static Uri AddressOf(KestrelServer server) => new(server.Features.Get<IServerAddressesFeature>()!.Addresses.Single());

    public async ValueTask DisposeAsync()
    {
        var now = new CancellationToken(canceled: true);
        await _http1.StopAsync(now);
        await _http2.StopAsync(now);
        _http1.Dispose();
        _http2.Dispose();
        foreach (EndpointModel endpoint in Endpoints) endpoint.Upstream.Dispose();
    }

    private sealed class OneLogger(LogSink sink) : ILoggerFactory
    {
        public ILogger CreateLogger(string categoryName) => sink;
        public void AddProvider(ILoggerProvider provider) { }
        public void Dispose() { }
    }
}

internal sealed class LogSink : ILogger
{
    private readonly ConcurrentQueue<(LogLevel Level, string Text, Exception? Error)> _entries = new();

    public IReadOnlyList<(LogLevel Level, string Text, Exception? Error)> Entries => [.. _entries];

    /// <summary>Entries that say that something of the gateway's own went wrong.</summary>
    public IReadOnlyList<string> Errors => [.. _entries.Where(static e => e.Level >= LogLevel.Error).Select(static e => $"{e.Text} {e.Error}")];

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Debug;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _entries.Enqueue((logLevel, formatter(state, exception), exception));
}
