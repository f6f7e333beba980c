using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Gateway.Config;
using Gateway.Core.Limits;
using Gateway.DataPlane.Discovery;
using Gateway.DataPlane.Health;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Proxy;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Gateway.DataPlane.Server;

/// <summary>
/// The data plane as the control plane sees it: compile a document into a snapshot, publish a snapshot, look at what runs, stop.
/// <see cref="Compile"/> may be called from any thread; publishes run one after another.
/// </summary>
public sealed partial class DataPlaneHost : IAsyncDisposable
{
    /// <summary>The kernel takes the smaller of it and net.core.somaxconn: a burst of connections should meet the machine's limit, not ours.</summary>
    private const int Backlog = 65_535;

    /// <summary>How long a publish waits for the first answer of a discovery.</summary>
    private static readonly TimeSpan LongestWarming = TimeSpan.FromSeconds(3);

    private readonly ILogger _logger;
    private readonly SnapshotStore _store = new();
    private readonly StateRegistry _registry;
    private readonly SnapshotCompiler _compiler;
    private readonly ListenerSet _listeners;
    private readonly DrainingServers _draining;
    private readonly Upkeep _upkeep;
    private readonly HealthMonitor _health;
    private readonly ProcessPressure _pressure;
    private readonly AccessLog _accessLog;
    private readonly RequestRing _recorded = new();
    private readonly EpollTransport? _loops;
    private readonly LeaseCounter _inFlight = new();
    private readonly SemaphoreSlim _applying = new(1, 1);
    private readonly TimeProvider _time;
    private Task<StopReport>? _stopping;

    /// <param name="options">Where files are, the loggers, the clock.</param>
    public DataPlaneHost(DataPlaneOptions options)
        : this(options, null, null)
    {
    }

    /// <param name="options">Where files are, the loggers, the clock.</param>
    /// <param name="application">Null for the proxy's.</param>
    /// <param name="transport">Null for sockets.</param>
    internal DataPlaneHost(
        DataPlaneOptions options, Func<ListenerState, SnapshotStore, LeaseCounter, ListenerApplication>? application, IConnectionListenerFactory? transport)
    {
        _time = options.Time;
        _logger = options.Loggers.CreateLogger("Gateway.Server");
        Metrics = new GatewayMetrics(ErrorCategories.Labels);
        _accessLog = new AccessLog(new AccessLogOptions(
            options.StandardOutput, options.Loggers.CreateLogger("Gateway.AccessLog"), options.Time, Metrics, Seed: (ulong)options.Time.GetTimestamp()));
        _registry = new StateRegistry(Metrics, options.Time, _logger);
        if (DataPlaneOptions.RefusalOf(options.Transport) is { } refusal) throw new PlatformNotSupportedException(refusal);
        _loops = transport is null && options.Transport != TransportKind.Sockets && Libc.IsKnownHere
            ? new EpollTransport(options.Loops ?? Environment.ProcessorCount, options.Loggers.CreateLogger("Gateway.Transport"))
            : null;
        _compiler = new SnapshotCompiler(new PoolParts(
            options.BaseDirectory, options.Zone, _registry, new UpstreamFactory(_loops?.Loops),
            new DiscoveryServices(Metrics, options.Time, options.Loggers.CreateLogger("Gateway.Discovery")),
            options.AffinityKey ?? RandomNumberGenerator.GetBytes(32), options.Time));
        // Not on the thread of the request that was the last to hold it: a large snapshot takes milliseconds, and connections are closed.
        _store.Released += snapshot => ThreadPool.UnsafeQueueUserWorkItem(_registry.Release, snapshot, preferLocal: false);

        LoadShedder shedder = new();
        Gate = _loops?.Gate ?? new AcceptGate();
        _pressure = new ProcessPressure(shedder, Gate, _loops?.Loops ?? [], options.Time, _logger);
        if (application is null)
        {
            ProxyServices services = new(_store, Metrics, options.Time, options.Loggers, _accessLog) { Shedder = shedder, Recorded = _recorded };
            application = (listener, _, inFlight) => new ListenerApplication<Exchange>(new GatewayApplication(services, listener), inFlight);
        }
        KestrelServices kestrel = new(new RefusalTap(options.Loggers, Metrics.NoRoute, _logger));
        ServerParts parts = new(listener => application(listener, _store, _inFlight), kestrel, ConnectionBudget.OfProcess(), Gate, options.Time, _logger);
        _draining = new DrainingServers(options.Time, _logger);
        transport ??= _loops ?? (IConnectionListenerFactory)new SocketTransportFactory(Options.Create(SocketOptions()), options.Loggers);
        _listeners = new ListenerSet(parts, transport, _draining);
        _upkeep = new Upkeep(_store, _registry, Metrics, options.Time, options.Loggers.CreateLogger("Gateway.Tls"));
        _health = new HealthMonitor(new HealthServices(Metrics, options.Time, options.Loggers.CreateLogger("Gateway.Health")));
        ServerMetrics.Register(Metrics, _store, _listeners, _inFlight, options.Time);
        ServerMetrics.RegisterGate(Metrics, Gate);
        Metrics.ObserveGauge("overload_pressure", "How hard pressed the whole process is: 0 not at all, 1 beyond what it can bear.", () => shedder.Pressure);
        if (_loops is not null) ServerMetrics.RegisterLoops(Metrics, _loops.Watchdog);
        AttemptMetrics.Register(Metrics, _store, options.Time);
        _variants = new VariantMetrics(Metrics);
    }

    /// <summary>The snapshot that new requests get; null before the first publish.</summary>
    public GatewaySnapshot? Current => _store.Current;

    /// <summary>Replaced snapshots that requests still hold.</summary>
    public int RetiredSnapshots => _store.RetiredCount;

    public GatewayMetrics Metrics { get; }

    /// <summary>Requests and upgraded connections in flight, on all listeners and on those that drain.</summary>
    public int InFlight => (int)_inFlight.Held;

    internal StateRegistry Registry => _registry;

    internal ListenerSet Servers => _listeners;

    internal SnapshotStore Store => _store;

    internal AcceptGate Gate { get; }

    /// <summary>
    /// Turns a valid document into a snapshot. Pure: reads the certificate files that the document names, touches nothing live, and the
    /// state of what is new belongs to the candidate until it is published. All errors are collected.
    /// </summary>
    public CompileResult Compile(GatewayConfig config, string version, string source) => _compiler.Compile(config, version, source, _store.Current);

    /// <summary>
    /// Binds the sockets that are new, then makes the candidate current with one write, then drains what is gone. When a socket cannot be
    /// bound, nothing has changed and the errors say which; an empty list is success. A candidate that was compiled before another publish
    /// may be compiled once more here: <see cref="Current"/> is then another object with its version. A canary that runs ends with the
    /// publish, by the same write.
    /// </summary>
    /// <param name="candidate">To be current.</param>
    /// <param name="cancellationToken">Gives it up while it waits for something; what is not cancelled by then becomes current.</param>
    /// <exception cref="OperationCanceledException">Nothing has changed.</exception>
    public async Task<IReadOnlyList<ConfigError>> PublishAsync(GatewaySnapshot candidate, CancellationToken cancellationToken)
    {
        await _applying.WaitAsync(cancellationToken);
        try
        {
            ObjectDisposedException.ThrowIf(_stopping is not null, this);
            if (ReferenceEquals(candidate, _store.Current))
            {
                await EndCanaryAsync();
                return [];
            }
            while (!_registry.TryAdopt(candidate))
            {
                CompileResult again = Compile(candidate.Config, candidate.Version, candidate.Source);
                if (again.Snapshot is null) return again.Errors;
                candidate = again.Snapshot;
            }

            ListenerPlan? plan;
            IReadOnlyList<ConfigError> errors;
            try
            {
                (plan, errors) = await _listeners.PrepareAsync(candidate.Listeners, cancellationToken);
            }
            catch
            {
                _registry.Release(candidate);
                throw;
            }
            if (plan is null)
            {
                _registry.Release(candidate);
                return errors;
            }
            try
            {
                await WarmAsync(candidate, cancellationToken);
            }
            catch
            {
                await plan.AbandonAsync();
                _registry.Release(candidate);
                throw;
            }
            await SwitchAsync(candidate, plan);
            return [];
        }
        finally
        {
            _applying.Release();
        }
    }

    public IReadOnlyList<ListenerStatus> Listeners()
    {
        IReadOnlyList<ListenerSet.RunningListener> running = _listeners.Running;
        ListenerStatus[] statuses = new ListenerStatus[running.Count];
        for (int i = 0; i < statuses.Length; i++)
        {
            ListenerModel model = running[i].Model;
            statuses[i] = new ListenerStatus(
                model.Name, model.Config.Address, ListenAddress.Text(running[i].Socket.Bound), model.Tls is not null, model.State.Connections.Open);
        }
        return statuses;
    }

    /// <summary>
    /// What a snapshot (the live one, or a candidate that was only compiled) would do with a request, and why. While a canary runs, a
    /// request that it would serve is explained by it in place of the live one. Changes nothing.
    /// </summary>
    /// <param name="problem">Why there is no answer, for a person.</param>
    public Explanation? Explain(GatewaySnapshot snapshot, ExplainQuery query, out string problem) =>
        _store.Serving is { Canary: not null } serving && ReferenceEquals(snapshot, serving.Live)
            ? CanaryExplainer.Explain(serving, Listeners(), query, _time, out problem)
            : Explainer.Explain(snapshot, Listeners(), query, out problem, ReferenceEquals(snapshot, _store.Current) ? _time : null);

    /// <summary>The cases under <c>expect</c> that a candidate does not meet; empty when it meets all. Changes nothing.</summary>
    public IReadOnlyList<ConfigError> CheckExpectations(GatewaySnapshot candidate) => Expectations.Check(candidate, Listeners());

    /// <summary>What a candidate would do differently with requests than another snapshot. Changes nothing.</summary>
    public static SnapshotDifference Compare(GatewaySnapshot before, GatewaySnapshot candidate) => SnapshotComparison.Compare(before, candidate);

    /// <summary>What a candidate would do differently with the requests that were recorded; null when none are, or nothing is live. Changes nothing.</summary>
    /// <param name="candidate">What decides them anew.</param>
    /// <param name="before">What it is compared with; null for the live snapshot.</param>
    public ReplayReport? Replay(GatewaySnapshot candidate, GatewaySnapshot? before = null) =>
        _recorded.IsOn && (before ?? _store.Current) is { } other ? Server.Replay.Run(_recorded.Read(), other, candidate) : null;

    /// <summary>Opens the access log's file anew, for a rotation that is not noticed by itself.</summary>
    public void ReopenAccessLog() => _accessLog.Reopen();

    public IReadOnlyList<PoolStatus> Pools() => _store.Current is { } snapshot ? PoolStatuses.Of(snapshot) : [];

    /// <summary>What the mechanisms of a route stand at: breaker, retry budget, concurrency.</summary>
    /// <param name="snapshot">A published one.</param>
    /// <param name="route">As the document has them, from 0.</param>
    public RouteStatus RouteStatus(GatewaySnapshot snapshot, int route) => RouteStatuses.Of(snapshot.Routes[route], _time);

    /// <summary>Stops accepting, tells clients (Connection: close, GOAWAY), waits for what is in flight up to <paramref name="grace"/>, aborts the rest.</summary>
    public Task<StopReport> StopAsync(TimeSpan grace)
    {
        lock (_applying) return _stopping ??= StopOnceAsync(grace);
    }

    /// <summary>Stops at once what <see cref="StopAsync"/> has not stopped.</summary>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(TimeSpan.Zero);
        await _tidying;
        _applying.Dispose();
    }

    // What is accepted inherits the option, as it does on the loops.
    private static SocketTransportOptions SocketOptions() => new()
    {
        Backlog = Backlog,
        CreateBoundListenSocket = static endPoint =>
        {
            Socket socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endPoint);
            if (endPoint is IPEndPoint) socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            return socket;
        },
    };

    // What is discovered for the first time has been looked for once, or will be found later: a name server that does not answer must not
    // hold up a change for long, and keeps no gateway from starting.
    private async Task WarmAsync(GatewaySnapshot candidate, CancellationToken cancellationToken)
    {
        Task[] searches = [.. candidate.Pools.Where(static p => p.Source is not null).Select(static p => p.Source!.Discovery.First)];
        if (searches.Length > 0) _ = await Task.WhenAny(Task.WhenAll(searches), Task.Delay(LongestWarming, _time, cancellationToken));
        cancellationToken.ThrowIfCancellationRequested();
    }

    // Nothing here can fail in a way that the caller could mend: what can has been done in the plan.
    private async Task SwitchAsync(GatewaySnapshot candidate, ListenerPlan plan)
    {
        // The metrics of the document apply from now on; so do its listeners' models for handshakes and connection limits.
        Metrics.MaxSeries = candidate.Config.Metrics.MaxSeries;
        _accessLog.Reconfigure(candidate.AccessLog);
        _recorded.Configure(candidate.Recording);
        foreach (ListenerModel listener in candidate.Listeners) listener.State.LastModel = listener;
        // Held over the publish, which may release it at once; and as long as connections of a removed listener may bring requests, which
        // are routed by the listener's last model.
        GatewaySnapshot? previous = _store.Current;
        if (previous is not null) _registry.Hold(previous);
        foreach (RouteModel route in candidate.Routes) route.Republish();
        _store.Publish(candidate);
        _pressure.Follow(candidate.Config.Overload);
        await _health.FollowAsync(candidate);
        await plan.CommitAsync(() =>
        {
            _registry.Hold(previous!);
            return () => _registry.Release(previous!);
        });
        if (previous is not null) _registry.Release(previous);
        _upkeep.Start();
        ServerLog.Published(_logger, candidate.Version, candidate.Source, candidate.Listeners.Length, candidate.Routes.Length, candidate.Pools.Length);
    }

    private async Task<StopReport> StopOnceAsync(TimeSpan grace)
    {
        // After the publish that runs, if one does.
        await _applying.WaitAsync();
        try
        {
            StopReport report = await new Shutdown(_listeners, _draining, _inFlight, _time).RunAsync(grace);
            _registry.StopDiscovery();
            await _upkeep.StopAsync();
            await _health.StopAsync();
            await _pressure.StopAsync();
            await _accessLog.DisposeAsync();
            _loops?.Dispose();
            ServerLog.Stopped(_logger, report.Finished, report.Aborted);
            return report;
        }
        finally
        {
            _applying.Release();
        }
    }
}
