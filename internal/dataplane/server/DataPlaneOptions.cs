using Gateway.Config;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Server;

/// <param name="BaseDirectory">What relative paths in a document are relative to: the folder of the configuration file.</param>
/// <param name="Loggers">Where the data plane logs.</param>
/// <param name="Time">The clock.</param>
public sealed record DataPlaneOptions(string BaseDirectory, ILoggerFactory Loggers, TimeProvider Time)
{
    /// <summary>Where the access log goes with the output <c>stdout</c>. Written by one thread of the access log's own; it may block.</summary>
    public Stream StandardOutput { get; init; } = Stream.Null;

    /// <summary>What carries connections.</summary>
    public TransportKind Transport { get; init; }

    /// <summary>What speaks against a transport on this machine; null for nothing.</summary>
    public static string? RefusalOf(TransportKind transport) => RefusalOf(transport, Libc.IsKnownHere);

    internal static string? RefusalOf(TransportKind transport, bool loopsAreHere) => transport == TransportKind.Epoll && !loopsAreHere
        ? "the transport epoll needs Linux on x86-64, arm64, riscv64 or loongarch64; take auto or sockets here"
        : null;

    /// <summary>Makes affinity cookies; null for a random one, which no other process knows.</summary>
    public byte[]? AffinityKey { get; init; }

    /// <summary>Event loops, each with a thread of its own; 1 or more. Null for one per processor, which is what pays: a loop never waits for anything but its sockets.</summary>
    public int? Loops { get; init; }

    /// <summary>Where the gateway is, as endpoints' zones are named: those are preferred. Null when that is not known.</summary>
    public string? Zone { get; init; }
}

/// <summary>What carries connections.</summary>
public enum TransportKind
{
    /// <summary>Event loops on Linux, sockets elsewhere.</summary>
    Auto,

    /// <summary>Event loops of our own on epoll (<see cref="DataPlaneOptions.Loops"/>); Linux only.</summary>
    Epoll,

    /// <summary>.NET's sockets.</summary>
    Sockets,
}

/// <summary>A compiled candidate, or why there is none; warnings in either case.</summary>
public sealed record CompileResult(GatewaySnapshot? Snapshot, IReadOnlyList<ConfigError> Errors, IReadOnlyList<ConfigError> Warnings);

/// <summary>A listener that runs. <paramref name="BoundAddress"/> has the real port where the configuration said 0.</summary>
public sealed record ListenerStatus(string Name, string Address, string BoundAddress, bool Tls, int Connections);

public sealed record PoolStatus(string Name, string Protocol, string LoadBalancing, IReadOnlyList<EndpointStatus> Endpoints)
{
    /// <summary>So few endpoints are healthy that health is ignored.</summary>
    public bool Panic { get; init; }

    /// <summary>The last changes of its health, oldest first.</summary>
    public IReadOnlyList<HealthChange> Ledger { get; init; } = [];
}

/// <summary>A change of an endpoint's health or of the pool's (then <paramref name="Endpoint"/> is empty), or a decision against one.</summary>
/// <param name="Sequence">Rises by one within the pool.</param>
/// <param name="Cause">One word.</param>
/// <param name="Detail">Probe or attempts, counters and thresholds, for a person.</param>
/// <param name="Until">When an ejection ends; null for anything else.</param>
public sealed record HealthChange(
    long Sequence, DateTimeOffset Time, string Endpoint, string From, string To, string Cause, string Detail, DateTimeOffset? Until);

/// <param name="Connections">Open upstream connections, idle and active.</param>
public sealed record EndpointStatus(string Address, int Weight, bool Healthy, int InFlight, long Attempts, long Failures, int Connections)
{
    /// <summary>Where it is; null when that is not known.</summary>
    public string? Zone { get; init; }

    /// <summary>0 is used first.</summary>
    public int Priority { get; init; }

    /// <summary>Percent of its weight that it has now: less than 100 for a while after it has come or recovered, where the pool has a slow start.</summary>
    public int RampPercent { get; init; } = 100;

    /// <summary>Whether new requests may go to it.</summary>
    public bool Used { get; init; }

    /// <summary>Why not, or what is held against it in a pool that is in panic; null for nothing.</summary>
    public string? Reason { get; init; }

    /// <summary><c>healthy</c>, or what is known against it.</summary>
    public string State { get; init; } = "";

    /// <summary>Answers of 5xx.</summary>
    public long Errors { get; init; }

    /// <summary>The last change of its health; null when there was none.</summary>
    public HealthChange? LastChange { get; init; }

    /// <summary>Null when it is not probed.</summary>
    public ProbeStatus? LastProbe { get; init; }
}

/// <summary>What the last probe of an endpoint said.</summary>
/// <param name="InARow">Probes with the same answer up to this one.</param>
public sealed record ProbeStatus(DateTimeOffset Time, bool Good, string Detail, int InARow);

/// <summary>What the mechanisms of a route stand at now. A part that the route does not use is null.</summary>
/// <param name="Breaker">Also null before the route's first request to its pool, as the next.</param>
public sealed record RouteStatus(BreakerStatus? Breaker, RetryBudgetStatus? RetryBudget, ConcurrencyStatus? Concurrency);

/// <param name="State"><c>closed</c>, <c>half_open</c> or <c>open</c>.</param>
/// <param name="Since">When it came into that state; null when it never was in another.</param>
/// <param name="Requests">Attempts in the window.</param>
/// <param name="Failures">Those of them that failed.</param>
/// <param name="Opened">How often it has opened.</param>
/// <param name="NextProbe">From when on a request may probe the pool; null unless it is open.</param>
/// <param name="ProbesOut">Probes that have not come back.</param>
/// <param name="ProbesGood">Probes that have succeeded since it is half-open.</param>
/// <param name="Ledger">The last changes, oldest first.</param>
public sealed record BreakerStatus(
    string State, DateTimeOffset? Since, long Requests, long Failures, long Opened, DateTimeOffset? NextProbe, int ProbesOut, int ProbesGood,
    IReadOnlyList<BreakerEvent> Ledger);

/// <summary>A change of a breaker's state.</summary>
/// <param name="Sequence">Rises by one.</param>
/// <param name="Cause">One word.</param>
/// <param name="Detail">Counts and thresholds, for a person.</param>
/// <param name="Until">Until when nothing is let through; null unless it opened.</param>
public sealed record BreakerEvent(long Sequence, DateTimeOffset Time, string From, string To, string Cause, string Detail, DateTimeOffset? Until);

/// <summary>Of the last 10 seconds.</summary>
/// <param name="Used">Attempts beyond one per request.</param>
/// <param name="Left">How many more there may be.</param>
/// <param name="Refused">How many there would have been had the budget allowed them, ever.</param>
public sealed record RetryBudgetStatus(long Requests, long Used, long Left, long Refused);

/// <param name="Limit">Requests at once at most, now.</param>
/// <param name="Max">The upper bound of an adaptive limit; null of a fixed one.</param>
/// <param name="Queued">Requests that wait.</param>
public sealed record ConcurrencyStatus(int Limit, int? Max, int InFlight, int Queued, int MaxQueue);

/// <summary>How a stop went: requests that ended within the grace time and those that had to be aborted.</summary>
public sealed record StopReport(int Finished, int Aborted);
