namespace Gateway.Bench.Load;

/// <summary>Which port of a contestant a scenario talks to.</summary>
internal enum Door
{
    Plain,
    Tls,

    /// <summary>HTTP/2 in clear text by prior knowledge.</summary>
    H2c,
}

/// <summary>One load: the tool's command line, with {url} for the address and {seconds} for the duration.</summary>
internal sealed record Scenario(string Name, string Tool, string Arguments, string Path, Door Door = Door.Plain, bool Slow = false)
{
    /// <summary>Every contestant writes an access log, as the gateway always does; plain YARP, which has none, is left out.</summary>
    public bool Logged { get; init; }

    /// <summary>For this host the gateway has a route with breaker, outlier ejection, retries, caps and limits on; to the others it is any host.</summary>
    public const string ResilientHost = "resilient.test";

    public static readonly Scenario[] All =
    [
        new("64 connections", "wrk", "-t1 -c64 -d{seconds}s {url}", "/small"),
        new("64 connections, all with an access log", "wrk", "-t1 -c64 -d{seconds}s {url}", "/small") { Logged = true },
        new("64 connections, ours with all of resilience", "wrk", $"-t1 -c64 -d{{seconds}}s -H 'Host: {ResilientHost}' {{url}}", "/small"),
        new("1000 connections", "wrk", "-t1 -c1000 -d{seconds}s {url}", "/small"),
        new("4 connections", "wrk", "-t1 -c4 -d{seconds}s {url}", "/small"),
        new("10 more request headers", "wrk", "-t1 -c64 -d{seconds}s " + string.Concat(Enumerable.Range(1, 10).Select(i => $"-H 'x-header-{i}: value-{i}' ")) + "{url}", "/small"),
        new("100 KB bodies", "wrk", "-t1 -c64 -d{seconds}s {url}", "/large"),
        new("TLS keep-alive", "wrk", "-t1 -c64 -d{seconds}s {url}", "/small", Door.Tls),
        new("HTTP/2 16 x 16 streams", "h2load", "-t1 -c16 -m16 -D{seconds} {url}", "/small", Door.H2c),
        new("a connection per request", "wrk", "-t1 -c64 -d{seconds}s -H 'Connection: close' {url}", "/small"),
        new("slow upstream (100 ms), 1000 connections", "wrk", "-t1 -c1000 -d{seconds}s {url}", "/small", Slow: true),
    ];

    /// <summary>Whether that contestant takes part.</summary>
    public bool Takes(Contestant contestant) => contestant.Name == "gateway"
        || (Logged ? contestant.Logs : !contestant.Logs && !(Slow && contestant.Name == "plain YARP"));
}
