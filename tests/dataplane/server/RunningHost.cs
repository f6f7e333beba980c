using Gateway.Config;
using Gateway.DataPlane.Server;
using Gateway.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Gateway.DataPlane.Tests.Server;

/// <summary>A data plane with <see cref="AnsweringApplication"/> in place of the proxy, and a folder for its files.</summary>
internal sealed class RunningHost : IAsyncDisposable
{
    private int _applies;

    public RunningHost(TransportKind transport = TransportKind.Auto)
    {
        DataPlaneOptions options = new(Folder.Root, NullLoggerFactory.Instance, TimeProvider.System) { Transport = transport };
        Host = new DataPlaneHost(options, AnsweringApplication.Factory(Held), null);
    }

    public TempFolder Folder { get; } = new();
    public Held Held { get; } = new();
    public DataPlaneHost Host { get; }

    public static ListenerConfig Listener(string name = "web", string address = "127.0.0.1:0") => new() { Name = name, Address = address };

    public static GatewayConfig Document(params ListenerConfig[] listeners) => new() { Version = "v1", Listeners = listeners };

    /// <summary>Compiles and publishes, with the versions v1, v2, and so on.</summary>
    public async Task ApplyAsync(GatewayConfig config) => Assert.Empty(await TryApplyAsync(config));

    public Task ApplyAsync(params ListenerConfig[] listeners) => ApplyAsync(Document(listeners));

    public async Task<IReadOnlyList<ConfigError>> TryApplyAsync(GatewayConfig config)
    {
        CompileResult compiled = Host.Compile(config, $"v{++_applies}", "test");
        return compiled.Snapshot is null ? compiled.Errors : await Host.PublishAsync(compiled.Snapshot, CancellationToken.None);
    }

    public ListenerStatus Status(string listener = "web") => Host.Listeners().Single(status => status.Name == listener);

    public Uri Address(string listener = "web", string scheme = "http") => new($"{scheme}://{Status(listener).BoundAddress}/");

    public Task<RawHttpClient> ConnectAsync(string listener = "web") => RawHttpClient.ConnectAsync(Address(listener));

    public async ValueTask DisposeAsync()
    {
        Held.Open();
        await Host.DisposeAsync();
        Folder.Dispose();
    }
}

internal static class Requests
{
    public const string Get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    public const string Hold = "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n";
    public const string Upgrade = "GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
}
