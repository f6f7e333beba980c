using System.Globalization;

namespace Gateway.Bench.Load;

/// <summary>Which port of a contestant a scenario talks to.</summary>
internal enum Door
{
    Plain,
    Tls,

    /// <summary>HTTP/2 in clear text by prior knowledge.</summary>
    H2c,

    /// <summary>HTTP/2 in clear text to an upstream of gRPC.</summary>
    Grpc,

    /// <summary>Of the gateway the listener whose limits and whose route's policies are all on; of the others the plain one.</summary>
    Resilient,

    /// <summary>The same with a limit on concurrency that follows the latency.</summary>
    Adaptive,
}

/// <summary>One load: the tool's command line, with {url} for the address, {seconds} for the duration and {cookie} for a cookie of the gateway's.</summary>
internal sealed record Scenario(string Name, string Tool, string Arguments, string Path, Door Door = Door.Plain, bool Slow = false)
{
    /// <summary>Every contestant writes an access log, as the gateway always does; plain YARP, which has none, is left out.</summary>
    public bool Logged { get; init; }

    /// <summary>What is asked of the gateway here; null for nothing.</summary>
    public Target[] Targets { get; init; } = [];

    /// <summary>For the path of a tool that is a mode of this program.</summary>
    public const string OwnTool = "grpc";

    /// <summary>The line that loads a contestant, as a shell takes it.</summary>
    public string CommandLine(Contestant contestant, int seconds) =>
        $"{Tool} " + Arguments.Replace("{url}", contestant.Url(this), StringComparison.Ordinal).Replace("{seconds}", seconds.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);

    public static readonly Scenario[] All =
    [
        new("64 connections", "wrk", "-t1 -c64 -d{seconds}s {url}", "/small") { Targets = [Target.Better(0.95), new(0.45, Target.Yarp)] },
        new("64 connections, all with an access log", "wrk", "-t1 -c64 -d{seconds}s {url}", "/small") { Logged = true },
        new("64 connections, ours with all of resilience", "wrk", "-t1 -c64 -d{seconds}s -H 'Cookie: {cookie}' {url}", "/small", Door.Resilient),
        new("64 connections, resilience and an adaptive limit", "wrk", "-t1 -c64 -d{seconds}s -H 'Cookie: {cookie}' {url}", "/small", Door.Adaptive),
        new("1000 connections", "wrk", "-t1 -c1000 -d{seconds}s {url}", "/small") { Targets = [Target.Better(0.90)] },
        new("4 connections", "wrk", "-t1 -c4 -d{seconds}s {url}", "/small"),
        new("10 more request headers", "wrk", "-t1 -c64 -d{seconds}s " + string.Concat(Enumerable.Range(1, 10).Select(i => $"-H 'x-header-{i}: value-{i}' ")) + "{url}", "/small"),
        new("100 KB bodies", "wrk", "-t1 -c64 -d{seconds}s {url}", "/large") { Targets = [Target.Better(1.00)] },
        new("TLS keep-alive", "wrk", "-t1 -c64 -d{seconds}s {url}", "/small", Door.Tls) { Targets = [Target.Better(0.95)] },
        new("HTTP/2 16 x 16 streams", "h2load", "-t1 -c16 -m16 -D{seconds} {url}", "/small", Door.H2c) { Targets = [new(1.3, Target.HaProxy)] },
        new("gRPC two-way calls 16 x 16, per message", OwnTool, "{url} 16 16 {seconds}", "/bench.Echo/Echo", Door.Grpc) { Targets = [new(1.3, Target.HaProxy)] },
        new("a connection per request", "wrk", "-t1 -c64 -d{seconds}s -H 'Connection: close' {url}", "/small") { Targets = [Target.Better(1.2)] },
        new("slow upstream (100 ms), 1000 connections", "wrk", "-t1 -c1000 -d{seconds}s {url}", "/small", Slow: true),
    ];

    /// <summary>With the cookie that the gateway gives a client there, as all but its first request have it; for every contestant the same bytes.</summary>
    public async Task<Scenario> WithCookieAsync(Contestant gateway)
    {
        if (!Arguments.Contains("{cookie}", StringComparison.Ordinal)) return this;
        using var http = new HttpClient(new SocketsHttpHandler { UseCookies = false });
        using HttpResponseMessage answer = await http.GetAsync(gateway.Url(this));
        return this with { Arguments = Arguments.Replace("{cookie}", answer.Headers.GetValues("Set-Cookie").Single().Split(';')[0], StringComparison.Ordinal) };
    }

    /// <summary>Whether that contestant takes part.</summary>
    public bool Takes(Contestant contestant) => contestant.Name == "gateway"
        || (Logged ? contestant.Logs : !contestant.Logs && !((Slow || Door == Door.Grpc) && contestant.Name == Target.Yarp));
}
