using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Forwarder;

namespace Gateway.Bench.Load;

/// <summary>The least that a .NET proxy is with YARP: its forwarder behind a stock Kestrel, nothing else.</summary>
internal static class PlainYarp
{
    /// <param name="tls">A port for TLS, a certificate and a key; or nothing.</param>
    public static async Task<int> RunAsync(int port, int origin, string[] tls)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddHttpForwarder();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPAddress.Loopback, port);
            kestrel.Listen(IPAddress.Loopback, port + 2, l => l.Protocols = HttpProtocols.Http2);
            if (tls is [var tlsPort, var certificate, var key])
            {
                X509Certificate2 pair = X509Certificate2.CreateFromPemFile(certificate, key);
                kestrel.Listen(IPAddress.Loopback, int.Parse(tlsPort), l => l.UseHttps(pair));
            }
        });
        WebApplication app = builder.Build();
        using var client = new HttpMessageInvoker(new SocketsHttpHandler
        {
            UseProxy = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            UseCookies = false,
            ActivityHeadersPropagator = null,
        });
        IHttpForwarder forwarder = app.Services.GetRequiredService<IHttpForwarder>();
        var request = new ForwarderRequestConfig { Version = HttpVersion.Version11, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        string destination = $"http://127.0.0.1:{origin}";
        app.Run(async context => await forwarder.SendAsync(context, destination, client, request, HttpTransformer.Default));
        await app.RunAsync();
        return 0;
    }
}
