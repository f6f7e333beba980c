using System.Net;
using System.Text;
using Gateway.Config;
using Gateway.DataPlane.Obs;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Tests.Obs;

/// <summary>An access log with a stream in place of standard output, a logger that remembers, and a clock of which the wall part stands still.</summary>
internal sealed class LogFixture : IAsyncDisposable, ILogger
{
    public LogFixture(AccessLogConfig? config = null, int capacity = 1024, Stream? stdout = null)
    {
        Folder = Directory.CreateTempSubdirectory("gateway-log-").FullName;
        Output = stdout ?? new MemoryStream();
        Log = new AccessLog(new AccessLogOptions(Output, this, Clock, Metrics, Seed: 42) { Capacity = capacity });
        Log.Reconfigure(Compile(config ?? new AccessLogConfig()));
    }

    public string Folder { get; }
    public Stream Output { get; }
    public StandingClock Clock { get; } = new();
    public GatewayMetrics Metrics { get; } = new();
    public AccessLog Log { get; }
    public List<string> Complaints { get; } = [];

    public AccessLogModel Compile(AccessLogConfig config)
    {
        List<ConfigError> errors = [];
        AccessLogModel model = AccessLogModel.Compile(config, Folder, errors);
        return errors.Count == 0 ? model : throw new InvalidOperationException(string.Join("\n", errors));
    }

    public double Dropped(string reason) => Scrape.Of(Metrics)[$"gateway_access_log_dropped_total{{reason=\"{reason}\"}}"];

    /// <summary>The lines on standard output, each with its end.</summary>
    public async Task<string[]> LinesAsync()
    {
        await Log.FlushAsync();
        return Split(((MemoryStream)Output).ToArray());
    }

    public string[] LinesOf(string file) => Split(File.ReadAllBytes(Path.Combine(Folder, file)));

    private static string[] Split(byte[] bytes)
    {
        string text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
        if (text.Length != 0 && text[^1] != '\n') throw new InvalidOperationException("torn line: " + text);
        return text.Split('\n')[..^1];
    }

    /// <summary>A request with everything there is to say about it: 12.345 ms, of which 7 ms to the upstream's headers.</summary>
    public static AccessLogEntry Full() => new()
    {
        RequestId = new RequestId("0199-abc"),
        Method = "GET",
        Scheme = "https",
        Host = "shop.example.com:8443",
        Target = "/api/x?q=1",
        PathLength = 6,
        Protocol = "HTTP/2",
        Route = "shop",
        Pool = "shop-pool",
        Endpoint = "10.0.0.1:8080",
        Breaker = "closed",
        Category = "upstream_reset",
        Detail = "the connection was reset",
        Snapshot = "abc123",
        Variant = "canary",
        ClientIp = IPAddress.Parse("192.0.2.7"),
        Listener = "web",
        UserAgent = "curl/8",
        Referer = "https://example.com/from?page=2",
        TlsVersion = "TLSv1.3",
        TlsCipher = "TLS_AES_128_GCM_SHA256",
        Sni = "shop.example.com",
        Status = 502,
        Attempts = 2,
        StartedAt = StandingClock.At(1_000_000),
        EndedAt = StandingClock.At(1_012_345),
        UpstreamStartedAt = StandingClock.At(1_002_000),
        UpstreamHeadersAt = StandingClock.At(1_009_000),
        RequestBytes = 12,
        ResponseBytes = 345,
    };

    public async ValueTask DisposeAsync()
    {
        await Log.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    void ILogger.Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (Complaints) Complaints.Add($"{eventId.Id} {formatter(state, exception)}");
    }
}

/// <summary>Its timestamps are microseconds and stand at 2 s, which is 2026-03-04T05:06:07.890Z.</summary>
internal sealed class StandingClock : TimeProvider
{
    private long _now = At(2_000_000);

    public static long At(long microseconds) => microseconds;

    public void Advance(TimeSpan by) => Interlocked.Add(ref _now, (long)by.TotalMicroseconds);

    public override long TimestampFrequency => 1_000_000;

    public override long GetTimestamp() => Volatile.Read(ref _now);

    public override DateTimeOffset GetUtcNow() => new DateTimeOffset(2026, 3, 4, 5, 6, 7, 890, TimeSpan.Zero).AddMicroseconds(GetTimestamp() - At(2_000_000));
}
