using System.Buffers;
using System.Text;
using Gateway.Config;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;
using Gateway.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Gateway.DataPlane.Tests.Server;

/// <summary>A whole data plane with its proxy, and a client that says which user it is.</summary>
internal sealed class CanaryRig : IAsyncDisposable
{
    private readonly TempFolder _folder = new();
    private readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false });
    private readonly MemoryStream _log = new();
    private int _versions;

    public CanaryRig()
    {
        Host = new DataPlaneHost(new DataPlaneOptions(_folder.Root, NullLoggerFactory.Instance, TimeProvider.System) { StandardOutput = _log });
    }

    public DataPlaneHost Host { get; }

    public TempFolder Folder => _folder;

    public const string Web = """{ "name": "web", "address": "127.0.0.1:0" }""";

    public static RequestKey User { get; } = new(RequestKeyKind.Header, "X-User");

    /// <summary>A document with one listener.</summary>
    public static string Document(string routes, string pools = "", string listeners = Web, string more = "") =>
        $$"""{ "version": "v1", "listeners": [ {{listeners}} ], "routes": [ {{routes}} ], "pools": { {{pools}} } {{more}} }""";

    /// <summary>A document whose only route answers itself.</summary>
    public static string Answering(string text, string listeners = Web) => Document($$"""{ "name": "a", "respond": { "status": 200, "body": "{{text}}" } }""", "", listeners);

    public GatewaySnapshot Compile(string document)
    {
        ReadResult read = ConfigReader.ReadJson(Encoding.UTF8.GetBytes(document));
        Assert.Empty(read.Errors);
        CompileResult compiled = Host.Compile(read.Config!, $"v{++_versions}", "test");
        Assert.Empty(compiled.Errors);
        return compiled.Snapshot!;
    }

    public async Task ApplyAsync(string document) => Assert.Empty(await Host.PublishAsync(Compile(document), CancellationToken.None));

    public async Task BeginAsync(string document, double percent, RequestKey? key = null) =>
        Assert.Empty(await Host.BeginCanaryAsync(Compile(document), new CanaryPlan(percent, key), CancellationToken.None));

    public Uri Address(string listener = "web") => new($"http://{Host.Listeners().Single(status => status.Name == listener).BoundAddress}/");

    public async Task<(int Status, string Text)> GetAsync(string path = "/", string? user = null, string listener = "web")
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(Address(listener), path));
        if (user is not null) request.Headers.Add("X-User", user);
        using HttpResponseMessage response = await _client.SendAsync(request);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    /// <summary>A user whom a share of that many percent serves by the candidate, but not one of <paramref name="below"/>.</summary>
    public string UserIn(double percent, double below = 0)
    {
        CanaryRun run = Host.Store.Serving!.Canary!;
        return Enumerable.Range(0, 1_000_000).Select(static i => $"user-{i}").First(user => run.BucketOf(user) is var bucket && bucket < percent * 100 && bucket >= below * 100);
    }

    /// <summary>A reading once all of so many requests are counted: the last byte comes before the count.</summary>
    public async Task<CanaryReading> ReadAsync(long requests)
    {
        await Eventually.Until($"{requests} requests are counted", () => Host.ReadCanary()!.All is var all && all.Stable.Requests + all.Canary.Requests >= requests);
        return Host.ReadCanary()!;
    }

    public string Scrape()
    {
        var buffer = new ArrayBufferWriter<byte>();
        Host.Metrics.Write(buffer, openMetrics: false);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary>The access log up to now. Ends the host.</summary>
    public async Task<string[]> LogAsync()
    {
        await Host.DisposeAsync();
        return Encoding.UTF8.GetString(_log.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await Host.DisposeAsync();
        _folder.Dispose();
    }
}
