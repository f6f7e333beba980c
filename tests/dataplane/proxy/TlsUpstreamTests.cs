using Gateway.Config;
using Gateway.DataPlane.Transport;
using Gateway.TestKit;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

public sealed class TlsUpstreamTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly TestCertificates _authority;

    public TlsUpstreamTests() => _authority = new TestCertificates(_folder.Root);

    public void Dispose()
    {
        _authority.Dispose();
        _folder.Dispose();
    }

    private Task<HttpOrigin> OriginAsync(HttpProtocols protocols = HttpProtocols.Http1AndHttp2, bool clientCertificates = false, params string[] names) => HttpOrigin.StartAsync(new HttpOriginOptions
    {
        Protocols = protocols,
        Certificate = _authority.Server("origin", names.Length == 0 ? ["127.0.0.1"] : names).Certificate,
        ClientCa = clientCertificates ? _authority.Ca : null,
    });

    private ProxyOptions Https(UpstreamTlsConfig config, UpstreamProtocol protocol = UpstreamProtocol.Https)
    {
        List<ConfigError> errors = [];
        UpstreamTls? tls = UpstreamTls.Load(config, _folder.Root, "pools.p.tls", errors);
        Assert.Empty(errors);
        return new ProxyOptions { Protocol = protocol, Tls = tls };
    }

    private static Task<RawResponse> GetAsync(ProxyHost proxy, string host = "a.test") => RawHttpClient.OnceAsync(proxy.Address, $"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");

    [Theory]
    [InlineData(HttpProtocols.Http1AndHttp2, "HTTP/2")]
    [InlineData(HttpProtocols.Http1, "HTTP/1.1")]
    public async Task Https_SpeaksWhatAlpnChooses(HttpProtocols protocols, string expected)
    {
        await using HttpOrigin origin = await OriginAsync(protocols);
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, Https(new UpstreamTlsConfig { Ca = "test-ca.pem" }));
        RawResponse response = await GetAsync(proxy);
        Assert.True(response.Status == 200, response.ToString() + string.Join('|', proxy.Log.Entries));
        Assert.Equal((expected, "a.test"), (Echo.Parse(response.Text).Protocol, Echo.Parse(response.Text)["host"]));
    }

    [Fact]
    public async Task RequestsForOneHost_ShareAConnection()
    {
        await using HttpOrigin origin = await OriginAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, Https(new UpstreamTlsConfig { Ca = "test-ca.pem" }));
        for (int i = 0; i < 5; i++) Assert.Equal(200, (await GetAsync(proxy)).Status);
        Assert.Equal(1, origin.ConnectionCount);
        Assert.Equal(1, proxy.Endpoints[0].Upstream.Connections);
    }

    [Fact]
    public async Task Verification_UsesTheServerName()
    {
        await using HttpOrigin origin = await OriginAsync(HttpProtocols.Http1AndHttp2, false, "shop.internal");
        await using (ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, Https(new UpstreamTlsConfig { Ca = "test-ca.pem", ServerName = "shop.internal" })))
            Assert.Equal(200, (await GetAsync(proxy)).Status);
        await using (ProxyHost wrong = await ProxyHost.StartAsync(origin.Address, Https(new UpstreamTlsConfig { Ca = "test-ca.pem", ServerName = "other.internal" })))
            Assert.Contains("upstream_connect_failed", (await GetAsync(wrong)).Text, StringComparison.Ordinal);
        await using (ProxyHost address = await ProxyHost.StartAsync(origin.Address, Https(new UpstreamTlsConfig { Ca = "test-ca.pem" })))
            Assert.Equal(502, (await GetAsync(address, "shop.internal")).Status);
        await using (ProxyHost system = await ProxyHost.StartAsync(origin.Address, Https(new UpstreamTlsConfig { ServerName = "shop.internal" })))
            Assert.Equal(502, (await GetAsync(system)).Status);
        await using (ProxyHost off = await ProxyHost.StartAsync(origin.Address, Https(new UpstreamTlsConfig { Verify = false })))
            Assert.Equal(200, (await GetAsync(off)).Status);
    }

    [Fact]
    public async Task ClientCertificate_IsShown()
    {
        _authority.Client("gateway");
        await using HttpOrigin origin = await OriginAsync(clientCertificates: true);
        await using (ProxyHost with = await ProxyHost.StartAsync(origin.Address, Https(new UpstreamTlsConfig { Ca = "test-ca.pem", CertFile = "gateway.pem", KeyFile = "gateway.key" })))
            Assert.Equal(200, (await GetAsync(with)).Status);
        await using (ProxyHost without = await ProxyHost.StartAsync(origin.Address, Https(new UpstreamTlsConfig { Ca = "test-ca.pem" })))
            Assert.Equal(502, (await GetAsync(without)).Status);
    }

    [Fact]
    public async Task WebSocket_OverTls_IsAnHttp11Upgrade()
    {
        await using HttpOrigin origin = await OriginAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, Https(new UpstreamTlsConfig { Ca = "test-ca.pem" }));
        using System.Net.WebSockets.ClientWebSocket socket = await H2Client.OpenWebSocketAsync(new Uri(proxy.Address, "/ws"), System.Net.HttpVersion.Version11);
        Assert.Equal("x", await socket.ExchangeAsync("x"));
        Assert.Equal("HTTP/1.1", origin.LastRequest.Protocol);
    }

    [Fact]
    public async Task Grpc_OverTls_GoesThrough()
    {
        await using HttpOrigin origin = await OriginAsync(HttpProtocols.Http2);
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, Https(new UpstreamTlsConfig { Ca = "test-ca.pem" }, UpstreamProtocol.Grpc));
        using HttpMessageInvoker client = GrpcCall.Client();
        await using GrpcCall call = GrpcCall.Start(client, proxy.Http2Address, "/test.Echo/Unary");
        await call.WriteAsync("hi");
        call.CompleteRequests();
        Assert.Equal("echo: hi", await call.ReadAsync());
        Assert.Equal(0, (await call.EndAsync()).Status);
    }

    [Fact]
    public void Settings_AreEqualWhenTheFilesContentsAre()
    {
        UpstreamTls Load(UpstreamTlsConfig config) => UpstreamTls.Load(config, _folder.Root, "p", new List<ConfigError>())!;
        var config = new UpstreamTlsConfig { Ca = "test-ca.pem" };
        UpstreamTls before = Load(config);
        Assert.Equal(before, Load(config));
        Assert.NotEqual(before, Load(config with { ServerName = "x" }));
        Assert.NotEqual(before, Load(config with { Verify = false }));
        using var other = new TestCertificates(_folder.Root);
        Assert.NotEqual(before, Load(config));
    }

    [Theory]
    [InlineData("absent.pem", null, null, "pools.p.tls.ca: file_unreadable")]
    [InlineData("bad.pem", null, null, "pools.p.tls.ca: invalid_certificate")]
    [InlineData(null, "a.pem", null, "pools.p.tls: conflict")]
    [InlineData(null, "bad.pem", "bad.pem", "pools.p.tls.certFile: invalid_certificate")]
    public void FilesThatAreNoGood_AreErrors(string? ca, string? cert, string? key, string expected)
    {
        _folder.Write("bad.pem", "nothing");
        List<ConfigError> errors = [];
        Assert.Null(UpstreamTls.Load(new UpstreamTlsConfig { Ca = ca, CertFile = cert, KeyFile = key }, _folder.Root, "pools.p.tls", errors));
        Assert.StartsWith(expected, Assert.Single(errors).ToString(), StringComparison.Ordinal);
    }
}
