namespace Gateway.Config;

/// <summary>One configuration document, exactly as its author wrote it with defaults filled in. Immutable; nothing on the request path reads it.</summary>
[Doc("A gateway configuration, version 1.")]
public sealed record GatewayConfig
{
    [Doc("The format of this document. Always \"v1\".")]
    public required string Version { get; init; }

    [Doc("Where an editor finds the JSON Schema of this document. Ignored by the gateway.")]
    [JsonName("$schema")]
    public string? Schema { get; init; }

    [Doc("How this document goes together with those of other sources (a file has priority 50, the admin API 100, a bundle 150). With byName the same name in two of them is an error, unless the lower one is overridable; routes of the higher one come first.")]
    public MergeMode Merge { get; init; }

    [Doc("A document of higher priority may have other objects of the same names, and other sections.")]
    public bool Overridable { get; init; }

    [Doc("The sockets the gateway listens on. They are part of the snapshot: an apply may add, change or remove one, and an unchanged one keeps its socket and its connections.")]
    public IReadOnlyList<ListenerConfig> Listeners { get; init; } = [];

    [Doc("Certificates with their keys, by the name that listeners refer to. The files are watched and swapped live.")]
    public IReadOnlyDictionary<string, CertificateConfig> Certificates { get; init; } = Empty<CertificateConfig>.Map;

    [Doc("What to do with which request. The order matters only between routes that are otherwise equally specific.")]
    public IReadOnlyList<RouteConfig> Routes { get; init; } = [];

    [Doc("Groups of equal upstream endpoints, by the name that routes refer to.")]
    public IReadOnlyDictionary<string, PoolConfig> Pools { get; init; } = Empty<PoolConfig>.Map;

    [Doc("What the process does when it has more than it can do.")]
    public ProcessOverloadConfig Overload { get; init; } = new();

    [Doc("The access log: one line per request, written off the request's path.")]
    public AccessLogConfig AccessLog { get; init; } = new();

    [Doc("Prometheus metrics.")]
    public MetricsConfig Metrics { get; init; } = new();

    [Doc("How the gateway stops.")]
    public ShutdownConfig Shutdown { get; init; } = new();

    [Doc("A ring of recent requests in memory, to try candidates on.")]
    public ReplayConfig Replay { get; init; } = new();

    [Doc("How changes come into force, by name. Signed bundles go by \"default\"; what is applied over the admin API goes by the one that it names, and unnamed only by the replay budget of \"default\".")]
    public IReadOnlyDictionary<string, RolloutConfig> Rollout { get; init; } = Empty<RolloutConfig>.Map;

    [Doc("What helps to find faults.")]
    public DebugConfig Debug { get; init; } = new();

    [Doc("How many applied configurations are kept to go back to.")]
    public HistoryConfig History { get; init; } = new();
}

/// <summary>The field's name in the document where it is not the property's name in camelCase.</summary>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Field)]
public sealed class JsonNameAttribute(string name) : Attribute
{
    public string Name { get; } = name;
}

internal static class Empty<T>
{
    public static readonly IReadOnlyDictionary<string, T> Map = System.Collections.Frozen.FrozenDictionary<string, T>.Empty;
}

[Doc("One certificate and its private key, PEM as openssl writes them.")]
public sealed record CertificateConfig
{
    [Doc("PEM file with the certificate, leaf first, then the intermediates. Relative to the configuration file's folder.")]
    public required string CertFile { get; init; }

    [Doc("PEM file with the private key (PKCS#8, PKCS#1 or SEC 1). Relative to the configuration file's folder.")]
    public required string KeyFile { get; init; }

    [Doc("Password of an encrypted private key.")]
    public Secret? KeyPassword { get; init; }

    [Doc("A document of higher priority may have another certificate of this name.")]
    public bool Overridable { get; init; }
}

[Doc("The access log.")]
public sealed record AccessLogConfig
{
    [Doc("Where lines go: \"stdout\", \"off\", or the path of a file, which is appended to and reopened when it was moved away.")]
    public string Output { get; init; } = "stdout";

    [Doc("The form of a line.")]
    public AccessLogFormat Format { get; init; } = AccessLogFormat.Json;

    [Doc("The share of lines to keep by status class (\"2xx\") or exact status (\"404\"), from 0 to 1. What is not named is kept whole.")]
    [Example("{ \"2xx\": 0.01 }")]
    public IReadOnlyDictionary<string, double> Sample { get; init; } = Empty<double>.Map;

    [Doc("The fields of a JSON line, in order. Empty: all of them. clientIp is the client's address: behind trusted proxies the one they name, else the peer's.")]
    public IReadOnlyList<string> Fields { get; init; } = [];

    [Doc("Leave the query out of the logged path.")]
    public bool RedactQuery { get; init; }
}

public enum AccessLogFormat
{
    [Doc("One JSON object per line.")] Json,
    [Doc("NCSA common log format.")] Common,
    [Doc("NCSA combined log format.")] Combined,
}

[Doc("Prometheus metrics.")]
public sealed record MetricsConfig
{
    [Doc("The most time series exported, whatever the number of routes: the busiest routes keep their names, the rest are counted together as \"other\".")]
    [Range("1000", "1000000")]
    public int MaxSeries { get; init; } = 20_000;

    [Doc("An address that serves /metrics, /livez and /readyz, and nothing else, in clear text and without a token, beside the admin listener: so that scrapes and probes need neither its token nor its client certificates. IP:port, \"[::]:port\" or localhost:port.")]
    [Example("\"0.0.0.0:9090\"")]
    public string? Listener { get; init; }
}

[Doc("How the gateway stops on SIGTERM or SIGINT.")]
public sealed record ShutdownConfig
{
    [Doc("How long /readyz answers 503 before the gateway stops accepting, so that load balancers look away first.")]
    [Range("0s", "10m")]
    public TimeSpan Drain { get; init; } = TimeSpan.FromSeconds(2);

    [Doc("How long requests in flight may take to end before they are aborted.")]
    [Range("0s", "1h")]
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(30);
}

[Doc("The store of applied configurations.")]
public sealed record HistoryConfig
{
    [Doc("How many applied configurations to keep; the oldest go first, never the live one.")]
    [Range("1", "10000")]
    public int Keep { get; init; } = 100;
}
