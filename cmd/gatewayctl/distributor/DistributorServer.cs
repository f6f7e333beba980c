using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Gateway.Ctl.Distributor;

/// <summary>Kestrel under the distributor, without configuration files and environment variables that would change where it listens.</summary>
internal sealed class DistributorServer : IAsyncDisposable
{
    /// <summary>Each gateway that waits holds one.</summary>
    private const int MostConnections = 20_000;

    private readonly WebApplication _app;

    private DistributorServer(WebApplication app) => _app = app;

    /// <summary>With the real port.</summary>
    public string Url => _app.Urls.First();

    /// <param name="certificate">Null for clear text.</param>
    /// <exception cref="UserException">The address cannot be bound.</exception>
    public static async Task<DistributorServer> StartAsync(IPEndPoint address, ServerCertificate? certificate, RequestDelegate handle)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        _ = builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(options =>
        {
            options.AddServerHeader = false;
            options.Limits.MaxConcurrentConnections = MostConnections;
            options.Limits.MaxRequestBodySize = 4 << 10;
            options.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
            options.Listen(address, listen =>
            {
                listen.Protocols = certificate is null ? HttpProtocols.Http1 : HttpProtocols.Http1AndHttp2;
                if (certificate is not null) _ = listen.UseHttps(Https(certificate));
            });
        });
        WebApplication app = builder.Build();
        app.Run(handle);
        try
        {
            await app.StartAsync();
            return new DistributorServer(app);
        }
        catch (IOException e)
        {
            await app.DisposeAsync();
            throw new UserException($"cannot listen on {address}: {e.Message.TrimEnd('.')}. Choose another address with --listen.");
        }
    }

    /// <summary>Lets requests in flight end, for a short time.</summary>
    public async ValueTask DisposeAsync()
    {
        using var grace = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await _app.StopAsync(grace.Token);
        await _app.DisposeAsync();
    }

    private static TlsHandshakeCallbackOptions Https(ServerCertificate certificate) => new()
    {
        HandshakeTimeout = TimeSpan.FromSeconds(10),
        OnConnection = _ => ValueTask.FromResult(new SslServerAuthenticationOptions
        {
            ServerCertificateContext = certificate.Current,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        }),
    };
}
