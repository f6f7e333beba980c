using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Xunit;

namespace Gateway.Functional.Tests.DataPlane;

/// <summary>A gateway with TLS listeners: several names, client certificates, TLS 1.3 only.</summary>
public sealed class TlsSite : IAsyncLifetime
{
    public TempFolder Folder { get; } = new();
    public TestCertificates Authority { get; private set; } = null!;
    public TestCertificates Strangers { get; private set; } = null!;
    public HttpOrigin Origin { get; private set; } = null!;
    public GatewayProcess Gateway { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Authority = new TestCertificates(Folder.Root);
        Strangers = new TestCertificates(Folder.Root, "stranger-ca");
        _ = Authority.Server("default", "default.test", "127.0.0.1");
        _ = Authority.Server("exact", "shop.example.test");
        _ = Authority.Server("wild", "*.example.test");
        Origin = await HttpOrigin.StartAsync();
        static string Tls(string name, string more) => $$"""
            { "name": "{{name}}", "address": "127.0.0.1:0", "tls": { "certificates": ["default", "exact", "wild"]{{more}} } }
            """;
        Gateway = await GatewayProcess.StartAsync(Doc.Of(
            routes: Doc.Route("all"), pools: Doc.Pool("main", Origin.Address),
            listeners: string.Join(", ",
                Tls("web", ""),
                Tls("required", ", \"clientCa\": \"test-ca.pem\""),
                Tls("optional", ", \"clientCa\": \"test-ca.pem\", \"clientCertificate\": \"optional\""),
                Tls("modern", ", \"minVersion\": \"1.3\"")),
            more: """
                "certificates": { "default": { "certFile": "default.pem", "keyFile": "default.key" },
                                  "exact": { "certFile": "exact.pem", "keyFile": "exact.key" },
                                  "wild": { "certFile": "wild.pem", "keyFile": "wild.key" } }
                """), new GatewayProcessOptions { Folder = Folder });
    }

    public async ValueTask DisposeAsync()
    {
        if (Gateway is not null) await Gateway.DisposeAsync();
        if (Origin is not null) await Origin.DisposeAsync();
        Authority?.Dispose();
        Strangers?.Dispose();
        Folder.Dispose();
    }
}

public sealed class TlsTests(TlsSite site) : IClassFixture<TlsSite>
{
    [Theory]
    [InlineData("shop.example.test", "CN=shop.example.test")]
    [InlineData("SHOP.example.TEST", "CN=shop.example.test")]
    [InlineData("other.example.test", "CN=*.example.test")]
    [InlineData("a.b.example.test", "CN=default.test")]
    [InlineData("default.test", "CN=default.test")]
    [InlineData("unknown.test", "CN=default.test")]
    public async Task CertificateIsChosenBySni(string name, string subject)
    {
        await using RawHttpClient client = await RawHttpClient.ConnectTlsAsync(site.Gateway.Listener(), name);
        Assert.Equal(subject, client.Tls!.RemoteCertificate!.Subject);
        Assert.Equal(200, (await client.RequestAsync(Doc.Get(host: name))).Status);
    }

    [Fact]
    public async Task WithoutSni_TheDefaultIsShown()
    {
        await using RawHttpClient client = await RawHttpClient.ConnectTlsAsync(site.Gateway.Listener(), "");
        Assert.Equal("CN=default.test", client.Tls!.RemoteCertificate!.Subject);
    }

    [Fact]
    public async Task OpensslSClient_SeesTheCertificateOfItsServername()
    {
        string openssl = Tool.Require("openssl");
        Uri web = site.Gateway.Listener();
        foreach ((string name, string subject) in ((string, string)[])[("shop.example.test", "shop.example.test"), ("x.example.test", "*.example.test"), ("none.test", "default.test")])
        {
            CommandResult result = await Command.RunAsync(openssl,
                ["s_client", "-connect", web.Authority, "-servername", name, "-CAfile", site.Authority.CaFile, "-verify_return_error", "-ign_eof"],
                input: $"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
            Assert.Matches($"subject=CN ?= ?{System.Text.RegularExpressions.Regex.Escape(subject)}\n", result.Out);
            Assert.Contains("Verify return code: 0 (ok)", result.Out);
            Assert.Contains("HTTP/1.1 200", result.Out);
        }
    }

    [Fact]
    public async Task OpensslSClient_NegotiatesAlpnAndClientCertificates()
    {
        string openssl = Tool.Require("openssl");
        CommandResult alpn = await Command.RunAsync(openssl, ["s_client", "-connect", site.Gateway.Listener().Authority, "-alpn", "h2,http/1.1"], input: "");
        Assert.Contains("ALPN protocol: h2", alpn.Out);
        TestCertificate client = site.Authority.Client("openssl-client");
        CommandResult mutual = await Command.RunAsync(openssl,
            ["s_client", "-connect", site.Gateway.Listener("required").Authority, "-cert", client.CertFile, "-key", client.KeyFile, "-ign_eof"],
            input: "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        Assert.Contains("HTTP/1.1 200", mutual.Out);
        CommandResult without = await Command.RunAsync(openssl, ["s_client", "-connect", site.Gateway.Listener("required").Authority, "-ign_eof"],
            input: "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        Assert.DoesNotContain("HTTP/1.1 200", without.Out);
    }

    [Theory]
    [InlineData("h2")]
    [InlineData("http/1.1")]
    public async Task Alpn_ChoosesTheProtocol(string protocol)
    {
        await using RawHttpClient client = await RawHttpClient.ConnectTlsAsync(site.Gateway.Listener(), "default.test", null, protocol);
        Assert.Equal(protocol, client.Tls!.NegotiatedApplicationProtocol.ToString());
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task BothVersions_AreServedOverTlsAndTheUpstreamHearsHttps(string version)
    {
        using HttpClient client = version == "2.0" ? H2Client.Http2(site.Gateway.Listener()) : H2Client.Http1(site.Gateway.Listener());
        using HttpResponseMessage response = await client.GetAsync("/x");
        Assert.Equal(Version.Parse(version), response.Version);
        Echo echo = Echo.Parse(await response.Content.ReadAsStringAsync());
        Assert.Equal("https", echo["x-forwarded-proto"]);
        Assert.Contains("proto=https", echo["forwarded"]);
    }

    [Theory]
    [InlineData("required", "good", true)]
    [InlineData("required", "stranger", false)]
    [InlineData("required", "none", false)]
    [InlineData("optional", "good", true)]
    [InlineData("optional", "stranger", false)]
    [InlineData("optional", "none", true)]
    [InlineData("web", "none", true)]
    public async Task ClientCertificates(string listener, string certificate, bool served)
    {
        X509Certificate2? client = certificate switch
        {
            "good" => site.Authority.Client("good").Certificate,
            "stranger" => site.Strangers.Client("bad").Certificate,
            _ => null,
        };
        using HttpClient http = H2Client.Http1(site.Gateway.Listener(listener), client);
        if (served) Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/")).StatusCode);
        else _ = await Assert.ThrowsAsync<HttpRequestException>(() => http.GetAsync("/"));
    }

    [Theory]
    [InlineData("web", SslProtocols.Tls12, true)]
    [InlineData("web", SslProtocols.Tls13, true)]
    [InlineData("modern", SslProtocols.Tls13, true)]
    [InlineData("modern", SslProtocols.Tls12, false)]
    public async Task MinVersion(string listener, SslProtocols version, bool served)
    {
        using SocketsHttpHandler handler = H2Client.Handler();
        handler.SslOptions.EnabledSslProtocols = version;
        using var client = new HttpClient(handler) { BaseAddress = site.Gateway.Listener(listener) };
        if (served) Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/")).StatusCode);
        else _ = await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync("/"));
    }

    [Fact]
    public async Task PlainHttpOnATlsListener_IsClosed()
    {
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(site.Gateway.Listener());
        await client.SendAsync(Doc.Get());
        (WireEnd end, string rest) = await client.ReadEndAsync();
        Assert.NotEqual(WireEnd.Open, end);
        Assert.DoesNotContain("200", rest);
    }

    [Fact]
    public async Task RenewedCertificateFile_IsServedWithoutARestartAndOpenConnectionsLive()
    {
        using var folder = new TempFolder();
        using var authority = new TestCertificates(folder.Root);
        _ = authority.Server("site", "first.test");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Doc.Route("all"), Doc.Pool("main", site.Origin.Address),
            """{ "name": "web", "address": "127.0.0.1:0", "tls": { "certificates": ["site"] } }""",
            "\"certificates\": { \"site\": { \"certFile\": \"site.pem\", \"keyFile\": \"site.key\" } }"), new GatewayProcessOptions { Folder = folder });
        await using RawHttpClient old = await RawHttpClient.ConnectTlsAsync(gateway.Listener(), "first.test");
        Assert.Equal("CN=first.test", old.Tls!.RemoteCertificate!.Subject);
        // As renewal tools do: the pair written beside and moved into place.
        _ = authority.Server("next", "second.test");
        File.Move(folder["next.key"], folder["site.key"], overwrite: true);
        File.Move(folder["next.pem"], folder["site.pem"], overwrite: true);
        await Eventually.Until("new connections see the renewed certificate", async () =>
        {
            await using RawHttpClient next = await RawHttpClient.ConnectTlsAsync(gateway.Listener(), "first.test");
            return next.Tls!.RemoteCertificate!.Subject == "CN=second.test";
        });
        Assert.Equal(200, (await old.RequestAsync(Doc.Get())).Status);
        // A broken file keeps what is served.
        File.WriteAllText(folder["site.pem"], "not a certificate");
        for (int i = 0; i < 20; i++)
        {
            await using RawHttpClient still = await RawHttpClient.ConnectTlsAsync(gateway.Listener(), "first.test");
            Assert.Equal("CN=second.test", still.Tls!.RemoteCertificate!.Subject);
            await Task.Delay(50);
        }
    }
}

/// <summary>TLS to the upstream: verification, SNI, client certificate, HTTP/2 by ALPN.</summary>
public sealed class UpstreamTlsTests
{
    private static Task<GatewayProcess> StartAsync(TempFolder folder, HttpOrigin origin, string tls, string protocol = "https") => GatewayProcess.StartAsync(
        Doc.Of(Doc.Route("all"), Doc.PoolWith("main", $"\"protocol\": \"{protocol}\", \"tls\": {{ {tls} }}, \"connections\": {{ \"connectTimeout\": \"20s\" }}", origin.Address)), new GatewayProcessOptions { Folder = folder });

    [Theory]
    [InlineData("\"ca\": \"test-ca.pem\", \"serverName\": \"shop.test\"", true)]
    [InlineData("\"ca\": \"test-ca.pem\", \"serverName\": \"other.test\"", false)]
    [InlineData("\"ca\": \"stranger-ca.pem\", \"serverName\": \"shop.test\"", false)]
    [InlineData("\"serverName\": \"shop.test\"", false)]
    [InlineData("\"verify\": false", true)]
    public async Task Verification(string tls, bool served)
    {
        using var folder = new TempFolder();
        using var authority = new TestCertificates(folder.Root);
        using var strangers = new TestCertificates(folder.Root, "stranger-ca");
        await using HttpOrigin origin = await HttpOrigin.StartAsync(new HttpOriginOptions { Certificate = authority.Server("shop", "shop.test").Certificate });
        await using GatewayProcess gateway = await StartAsync(folder, origin, tls);
        RawResponse response = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/x"));
        if (served) Assert.Equal(200, response.Status);
        else Problem.Is(response, 502, "upstream_connect_failed");
        Assert.Equal(served ? 1 : 0, origin.RequestCount);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ClientCertificate_IsShownWhenConfigured(bool configured)
    {
        using var folder = new TempFolder();
        using var authority = new TestCertificates(folder.Root);
        _ = authority.Client("gateway-client");
        await using HttpOrigin origin = await HttpOrigin.StartAsync(new HttpOriginOptions { Certificate = authority.Server("shop", "shop.test").Certificate, ClientCa = authority.Ca });
        await using GatewayProcess gateway = await StartAsync(folder, origin,
            "\"ca\": \"test-ca.pem\", \"serverName\": \"shop.test\"" + (configured ? ", \"certFile\": \"gateway-client.pem\", \"keyFile\": \"gateway-client.key\"" : ""));
        RawResponse response = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/x"));
        Assert.Equal(configured ? 200 : 502, response.Status);
    }

    [Theory]
    [InlineData(HttpProtocols.Http1AndHttp2, "HTTP/2")]
    [InlineData(HttpProtocols.Http1, "HTTP/1.1")]
    public async Task Alpn_ChoosesHttp2WhereTheUpstreamHasIt(HttpProtocols protocols, string spoken)
    {
        using var folder = new TempFolder();
        using var authority = new TestCertificates(folder.Root);
        await using HttpOrigin origin = await HttpOrigin.StartAsync(new HttpOriginOptions { Certificate = authority.Server("shop", "shop.test").Certificate, Protocols = protocols });
        await using GatewayProcess gateway = await StartAsync(folder, origin, "\"ca\": \"test-ca.pem\", \"serverName\": \"shop.test\"");
        for (int i = 0; i < 5; i++)
        {
            RawResponse response = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Post("/x?a", "body", "front.test"));
            Assert.True(response.Status == 200, response.ToString());
            Echo echo = Echo.Parse(response.Text);
            Assert.Equal((spoken, "/x?a", "body", "front.test"), (echo.Protocol, echo.Target, echo.Body, echo["host"]));
        }
        Assert.Equal(1, origin.ConnectionCount);
    }

    [Fact]
    public async Task WebSocket_GoesThroughToATlsUpstream()
    {
        using var folder = new TempFolder();
        using var authority = new TestCertificates(folder.Root);
        await using HttpOrigin origin = await HttpOrigin.StartAsync(new HttpOriginOptions { Certificate = authority.Server("shop", "shop.test").Certificate, Protocols = HttpProtocols.Http1AndHttp2 });
        await using GatewayProcess gateway = await StartAsync(folder, origin, "\"ca\": \"test-ca.pem\", \"serverName\": \"shop.test\"");
        using var socket = await H2Client.OpenWebSocketAsync(new Uri(gateway.Listener(), "/ws"), new Version(1, 1));
        Assert.Equal("hello", await socket.ExchangeAsync("hello"));
    }

    [Fact]
    public async Task GrpcOverTls_Works()
    {
        using var folder = new TempFolder();
        using var authority = new TestCertificates(folder.Root);
        await using HttpOrigin origin = await HttpOrigin.StartAsync(new HttpOriginOptions { Certificate = authority.Server("shop", "shop.test").Certificate, Protocols = HttpProtocols.Http2 });
        await using GatewayProcess gateway = await StartAsync(folder, origin, "\"ca\": \"test-ca.pem\", \"serverName\": \"shop.test\"", "grpc");
        using HttpMessageInvoker client = GrpcCall.Client();
        await using GrpcCall call = GrpcCall.Start(client, gateway.Listener(), "/test.Echo/Unary");
        await call.WriteAsync("hello");
        call.CompleteRequests();
        string? message = await call.ReadAsync();
        GrpcEnd end = await call.EndAsync();
        Assert.Equal(("echo: hello", 0, null), (message, end.Status!.Value, end.Message));
    }
}
