using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Gateway.ControlPlane.Apply;
using Gateway.DataPlane.Server;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Gateway.ControlPlane.Admin;

/// <summary>A server of the control plane: its own sockets, its own limits, never a data listener's.</summary>
public sealed class AdminServer : IAsyncDisposable
{
    private const int MostConnections = 512;
    private readonly KestrelServer _kestrel;

    private AdminServer(KestrelServer kestrel, IPEndPoint address, bool tls)
    {
        _kestrel = kestrel;
        Address = address;
        Url = $"{(tls ? "https" : "http")}://{address}";
    }

    /// <summary>With the real port.</summary>
    public IPEndPoint Address { get; }

    public string Url { get; }

    /// <exception cref="IOException">The address cannot be bound.</exception>
    public static Task<AdminServer> StartAsync(AdminListenOptions listen, Func<HttpContext, Task> handle, ILoggerFactory loggers) =>
        StartAsync(listen.Address, listen, handle, loggers);

    /// <summary>A server in clear text, for what is no secret.</summary>
    /// <exception cref="IOException">The address cannot be bound.</exception>
    public static Task<AdminServer> StartPlainAsync(IPEndPoint address, Func<HttpContext, Task> handle, ILoggerFactory loggers) =>
        StartAsync(address, null, handle, loggers);

    /// <summary>Lets requests in flight end, for a short time.</summary>
    public async ValueTask DisposeAsync()
    {
        using CancellationTokenSource grace = new(TimeSpan.FromSeconds(2));
        await _kestrel.StopAsync(grace.Token);
        _kestrel.Dispose();
    }

    private static async Task<AdminServer> StartAsync(IPEndPoint address, AdminListenOptions? secure, Func<HttpContext, Task> handle, ILoggerFactory loggers)
    {
        KestrelServerOptions options = new() { AddServerHeader = false };
        options.Limits.MaxConcurrentConnections = MostConnections;
        // Kestrel counts the framing of chunks too; the endpoints count the bytes themselves.
        options.Limits.MaxRequestBodySize = ConfigDocument.MaxBytes + (1 << 20);
        options.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
        bool tls = secure?.Certificate is not null;
        if (tls) options.ApplicationServices = new KestrelServices(loggers);
        options.Listen(address, listen =>
        {
            listen.Protocols = tls ? HttpProtocols.Http1AndHttp2 : HttpProtocols.Http1;
            if (tls) listen.UseHttps(Https(secure!));
        });
        // Kestrel tells of every binding at information level; the gateway says it in its own words.
        KestrelServer kestrel = new(Options.Create(options), new SocketTransportFactory(Options.Create(new SocketTransportOptions()), loggers), loggers);
        try
        {
            await kestrel.StartAsync(new HandApplication(handle, loggers.CreateLogger("gateway.admin")), CancellationToken.None);
        }
        catch (Exception e)
        {
            kestrel.Dispose();
            if (e is IOException or System.Net.Sockets.SocketException) throw new IOException($"cannot listen on {address}: {e.Message.TrimEnd('.')}", e);
            throw;
        }
        string bound = kestrel.Features.Get<IServerAddressesFeature>()!.Addresses.First();
        return new AdminServer(kestrel, new IPEndPoint(address.Address, new Uri(bound).Port), tls);
    }

    private static TlsHandshakeCallbackOptions Https(AdminListenOptions secure)
    {
        SslServerAuthenticationOptions options = new()
        {
            ServerCertificateContext = SslStreamCertificateContext.Create(secure.Certificate!, secure.Chain, offline: true),
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        };
        if (secure.ClientAuthorities is { } authorities)
        {
            options.ClientCertificateRequired = true;
            options.RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is X509Certificate2 shown && IsIssuedBy(shown, authorities);
        }
        return new TlsHandshakeCallbackOptions { OnConnection = _ => new ValueTask<SslServerAuthenticationOptions>(options), HandshakeTimeout = TimeSpan.FromSeconds(10) };
    }

    private static bool IsIssuedBy(X509Certificate2 certificate, X509Certificate2Collection authorities)
    {
        using X509Chain chain = new();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        const string clientAuthentication = "1.3.6.1.5.5.7.3.2";
        chain.ChainPolicy.ApplicationPolicy.Add(new System.Security.Cryptography.Oid(clientAuthentication));
        return chain.Build(certificate);
    }
}
