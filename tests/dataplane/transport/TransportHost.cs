using System.Net;
using Gateway.DataPlane.Transport;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Gateway.DataPlane.Tests.Transport;

/// <summary>Kestrel with one application on event loops, on a free port.</summary>
internal sealed class TransportHost : IAsyncDisposable
{
    private readonly KestrelServer _server;
    private readonly EpollTransport _transport;

    private TransportHost(KestrelServer server, EpollTransport transport)
    {
        _server = server;
        _transport = transport;
    }

    public EpollTransport Transport => _transport;
    public EndPoint EndPoint { get; private set; } = null!;
    public Uri Address { get; private set; } = null!;

    /// <summary>Sockets on all loops but the listeners'.</summary>
    public int OpenConnections => _transport.Loops.Sum(l => l.OpenSockets) - _transport.Loops.Length;

    public static async Task<TransportHost> StartAsync(
        Func<IFeatureCollection, Task> handle, int loops = 2, EndPoint? endPoint = null, Action<ListenOptions>? configure = null)
    {
        var transport = new EpollTransport(loops, NullLogger.Instance);
        var options = new KestrelServerOptions { ApplicationServices = Services() };
        options.Limits.MaxRequestBodySize = null;
        options.Limits.MinResponseDataRate = null;
        ListenOptions? listen = null;
        void Configure(ListenOptions o)
        {
            listen = o;
            o.Use(next => async connection =>
            {
                await connection.Features.Get<ILoopFeature>()!.Loop.Switch();
                await next(connection);
            });
            configure?.Invoke(o);
        }
        if (endPoint is null or IPEndPoint) options.Listen((IPEndPoint?)endPoint ?? new IPEndPoint(IPAddress.Loopback, 0), Configure);
        else options.ListenUnixSocket(endPoint.ToString()!, Configure);
        var server = new KestrelServer(Options.Create(options), transport, NullLoggerFactory.Instance);
        await server.StartAsync(new Application(handle), CancellationToken.None);
        var host = new TransportHost(server, transport) { EndPoint = listen!.EndPoint };
        if (listen.EndPoint is IPEndPoint ip) host.Address = new Uri($"http://127.0.0.1:{ip.Port}");
        return host;
    }

    // UseHttps wants services that only the web host's own registration knows.
    private static IServiceProvider Services()
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        return builder.Build().Services;
    }

    public async ValueTask DisposeAsync()
    {
        using var soon = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await _server.StopAsync(soon.Token);
        _server.Dispose();
        _transport.Dispose();
    }

    private sealed class Application(Func<IFeatureCollection, Task> handle) : IHttpApplication<IFeatureCollection>
    {
        public IFeatureCollection CreateContext(IFeatureCollection contextFeatures) => contextFeatures;

        public Task ProcessRequestAsync(IFeatureCollection context) => handle(context);

        public void DisposeContext(IFeatureCollection context, Exception? exception)
        {
        }
    }
}
