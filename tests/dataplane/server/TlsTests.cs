using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Gateway.Config;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Server;

public sealed class TlsTests : IAsyncLifetime
{
    private readonly RunningHost _running = new();
    private readonly TestCertificates _authority;

    public TlsTests() => _authority = new TestCertificates(_running.Folder.Root);

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        _authority.Dispose();
        await _running.DisposeAsync();
    }

    internal static GatewayConfig Document(string[] certificates, ListenerTlsConfig tls, bool http2 = true) =>
        RunningHost.Document(RunningHost.Listener() with { Tls = tls, Http2 = http2 }) with
        {
            Certificates = certificates.ToDictionary(name => name, name => new CertificateConfig { CertFile = name + ".pem", KeyFile = name + ".key" }),
        };

    private static ListenerTlsConfig Tls(params string[] certificates) => new() { Certificates = certificates };

    private Task<RawHttpClient> ConnectAsync(string serverName, X509Certificate2? client = null, params string[] alpn) =>
        RawHttpClient.ConnectTlsAsync(_running.Address(), serverName, client, alpn);

    private static string Subject(RawHttpClient client) => client.Tls!.RemoteCertificate!.Subject;

    [Theory]
    [InlineData("shop.test", "CN=shop.test")]
    [InlineData("SHOP.test", "CN=shop.test")]
    [InlineData("other.wild.test", "CN=*.wild.test")]
    [InlineData("exact.wild.test", "CN=exact.wild.test")]
    [InlineData("two.labels.wild.test", "CN=shop.test")]
    [InlineData("wild.test", "CN=shop.test")]
    [InlineData("unknown.test", "CN=shop.test")]
    public async Task Sni_ChoosesExactThenWildcardThenTheFirst(string serverName, string subject)
    {
        _authority.Server("a", "shop.test");
        _authority.Server("b", "*.wild.test");
        _authority.Server("c", "exact.wild.test");
        await _running.ApplyAsync(Document(["a", "b", "c"], Tls("a", "b", "c")));
        await using RawHttpClient client = await ConnectAsync(serverName);
        Assert.Equal(subject, Subject(client));
        Assert.Equal($"v1 web HTTP/1.1 TLSv1.3 {serverName.ToLowerInvariant()}", (await client.RequestAsync(Requests.Get)).Text.Replace(serverName, serverName.ToLowerInvariant(), StringComparison.Ordinal));
    }

    [Fact]
    public async Task Alpn_ChoosesHttp2_OrHttp1_AndOnlyHttp1WhereHttp2IsOff()
    {
        _authority.Server("a", "shop.test");
        await _running.ApplyAsync(Document(["a"], Tls("a")));
        using (HttpClient http2 = H2Client.Http2(serverName: "shop.test"))
            Assert.StartsWith("v1 web HTTP/2 TLSv1.3", await http2.GetStringAsync(_running.Address(scheme: "https")), StringComparison.Ordinal);
        await using (RawHttpClient http1 = await ConnectAsync("shop.test", null, "http/1.1"))
            Assert.StartsWith("v1 web HTTP/1.1", (await http1.RequestAsync(Requests.Get)).Text, StringComparison.Ordinal);

        await _running.ApplyAsync(Document(["a"], Tls("a"), http2: false));
        await using RawHttpClient both = await ConnectAsync("shop.test", null, "h2", "http/1.1");
        Assert.Equal(SslApplicationProtocol.Http11, both.Tls!.NegotiatedApplicationProtocol);
    }

    [Fact]
    public async Task CertificateFileThatChanges_IsSwappedLive_WithoutADroppedConnection()
    {
        X509Certificate2 before = _authority.Server("a", "shop.test").Certificate;
        await _running.ApplyAsync(Document(["a"], Tls("a")));
        await using RawHttpClient kept = await ConnectAsync("shop.test");
        Assert.Equal(before.Thumbprint, kept.Tls!.RemoteCertificate!.GetCertHashString());

        X509Certificate2 after = _authority.Server("a", "shop.test", "new.test").Certificate;

        await EventuallyServes(after);
        Assert.Equal(200, (await kept.RequestAsync(Requests.Get)).Status);
        // Its names count at once, too.
        await using RawHttpClient byNewName = await ConnectAsync("new.test");
        Assert.Equal(after.Thumbprint, byNewName.Tls!.RemoteCertificate!.GetCertHashString());
    }

    [Fact]
    public async Task CertificateBehindASymbolicLink_IsSwappedWhenTheLinkMoves()
    {
        foreach (string version in new[] { "one", "two" })
        {
            Directory.CreateDirectory(_running.Folder[version]);
            using TestCertificates authority = new(_running.Folder[version]);
            authority.Server("a", "shop.test");
        }
        Directory.CreateSymbolicLink(_running.Folder["live"], "one");
        GatewayConfig config = Document([], Tls("a")) with
        {
            Certificates = new Dictionary<string, CertificateConfig> { ["a"] = new() { CertFile = "live/a.pem", KeyFile = "live/a.key" } },
        };
        await _running.ApplyAsync(config);
        using X509Certificate2 second = X509CertificateLoader.LoadCertificateFromFile(_running.Folder["two/a.pem"]);
        // As a Kubernetes mount does: a new link is renamed over the old one.
        Directory.CreateSymbolicLink(_running.Folder["next"], "two");
        using (System.Diagnostics.Process rename = System.Diagnostics.Process.Start("mv", ["-T", _running.Folder["next"], _running.Folder["live"]]))
            await rename.WaitForExitAsync(TestContext.Current.CancellationToken);
        await EventuallyServes(second);
    }

    [Fact]
    public async Task BrokenFile_KeepsTheOldCertificate_IsCounted_AndIsAWarningOfTheNextApply()
    {
        X509Certificate2 good = _authority.Server("a", "shop.test").Certificate;
        await _running.ApplyAsync(Document(["a"], Tls("a")));
        File.WriteAllText(_running.Folder["a.pem"], "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n");
        await Eventually.Until("the refusal is counted", () => RefusalTests.Scrape(_running).Contains("gateway_certificate_reloads_total{result=\"refused\"} 1", StringComparison.Ordinal));
        await using RawHttpClient client = await ConnectAsync("shop.test");
        Assert.Equal(good.Thumbprint, client.Tls!.RemoteCertificate!.GetCertHashString());
        Gateway.DataPlane.Server.CompileResult next = _running.Host.Compile(Document(["a"], Tls("a")), "next", "test");
        Assert.Empty(next.Errors);
        Assert.Equal("certificates.a.certFile", Assert.Single(next.Warnings).Path);
        X509Certificate2 mended = _authority.Server("a", "shop.test").Certificate;
        await EventuallyServes(mended);
    }

    [Fact]
    public async Task MinimumVersion_RefusesLowerOnes_AndChangesWithoutAnotherServer()
    {
        _authority.Server("a", "shop.test");
        await _running.ApplyAsync(Document(["a"], Tls("a")));
        await using RawHttpClient kept = await ConnectAsync("shop.test");
        Assert.Equal(SslProtocols.Tls12, await HandshakeAsync(SslProtocols.Tls12));

        await _running.ApplyAsync(Document(["a"], Tls("a") with { MinVersion = TlsVersion.Tls13 }));

        await Assert.ThrowsAnyAsync<Exception>(() => HandshakeAsync(SslProtocols.Tls12));
        Assert.Equal(SslProtocols.Tls13, await HandshakeAsync(SslProtocols.Tls13));
        RawResponse response = await kept.RequestAsync(Requests.Get);
        Assert.Equal((200, null), (response.Status, response["Connection"]));
    }

    [Theory]
    [InlineData(ClientCertificateMode.Required, "good", true)]
    [InlineData(ClientCertificateMode.Required, "none", false)]
    [InlineData(ClientCertificateMode.Required, "foreign", false)]
    [InlineData(ClientCertificateMode.Required, "server", false)]
    [InlineData(ClientCertificateMode.Optional, "good", true)]
    [InlineData(ClientCertificateMode.Optional, "none", true)]
    [InlineData(ClientCertificateMode.Optional, "foreign", false)]
    [InlineData(ClientCertificateMode.None, "none", true)]
    public async Task ClientCertificates_AreCheckedAgainstTheConfiguredAuthorityOnly(ClientCertificateMode mode, string shown, bool served)
    {
        _authority.Server("a", "shop.test");
        using TestCertificates foreign = new(caName: "foreign-ca");
        X509Certificate2? certificate = shown switch
        {
            "good" => _authority.Client("alice").Certificate,
            "foreign" => foreign.Client("mallory").Certificate,
            "server" => _authority.Server("b", "alice").Certificate,
            _ => null,
        };
        await _running.ApplyAsync(Document(["a"], Tls("a") with { ClientCa = "test-ca.pem", ClientCertificate = mode }));
        // With TLS 1.3 the client learns of a refusal only when it reads.
        string? text = null;
        try
        {
            await using RawHttpClient client = await ConnectAsync("shop.test", certificate);
            text = (await client.RequestAsync(Requests.Get)).Text;
        }
        catch (Exception) when (!served)
        {
            // Refused.
        }
        Assert.Equal(served ? $"v1 web HTTP/1.1 TLSv1.3 shop.test {(shown == "good" ? "CN=alice" : "")}".TrimEnd() : null, text);
    }

    [Fact]
    public async Task ClientAuthorityFileThatChanges_IsTakenOverLive()
    {
        _authority.Server("a", "shop.test");
        await _running.ApplyAsync(Document(["a"], Tls("a") with { ClientCa = "test-ca.pem", ClientCertificate = ClientCertificateMode.Required }));
        using TestCertificates next = new(caName: "next-ca");
        X509Certificate2 bob = next.Client("bob").Certificate;
        File.Copy(next.CaFile, _authority.CaFile, overwrite: true);
        await Eventually.Until("the new authority's client is served", async () =>
        {
            try
            {
                await using RawHttpClient client = await ConnectAsync("shop.test", bob);
                return (await client.RequestAsync(Requests.Get)).Status == 200;
            }
            catch (Exception refused) when (refused is IOException or AuthenticationException or InvalidOperationException or Xunit.Sdk.XunitException)
            {
                return false;
            }
        });
    }

    [Fact]
    public async Task Expiry_IsAMetric_AndAWarningWithin14Days()
    {
        DateTimeOffset soon = TimeProvider.System.GetUtcNow().AddDays(13);
        _authority.Server("a", soon, "shop.test");
        await _running.ApplyAsync(Document(["a"], Tls("a")));
        Assert.Contains($"gateway_certificate_not_after_timestamp_seconds{{certificate=\"a\"}} {soon.ToUnixTimeSeconds()}", RefusalTests.Scrape(_running), StringComparison.Ordinal);
        ConfigError warning = Assert.Single(_running.Host.Compile(Document(["a"], Tls("a")), "v", "test").Warnings);
        Assert.Equal(("certificates.a.certFile", "certificate_expiry"), (warning.Path, warning.Code));
    }

    private Task EventuallyServes(X509Certificate2 certificate) => Eventually.Until("the new certificate is served", async () =>
    {
        await using RawHttpClient client = await ConnectAsync("shop.test");
        return client.Tls!.RemoteCertificate!.GetCertHashString() == certificate.Thumbprint;
    });

    private async Task<SslProtocols> HandshakeAsync(SslProtocols protocol)
    {
        using System.Net.Sockets.TcpClient tcp = new();
        await tcp.ConnectAsync("127.0.0.1", _running.Address().Port);
        await using SslStream tls = new(tcp.GetStream(), false, (_, _, _, _) => true);
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "shop.test", EnabledSslProtocols = protocol });
        return tls.SslProtocol;
    }
}
