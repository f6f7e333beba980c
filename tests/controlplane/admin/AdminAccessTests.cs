using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;
using Gateway.ControlPlane.Admin;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Admin;

/// <summary>Who gets in.</summary>
public sealed class AdminAccessTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private ControlRig _rig = null!;

    public async ValueTask InitializeAsync()
    {
        _rig = new ControlRig(_folder);
        Assert.True((await _rig.StartAsync(ControlRig.Respond("file"))).Started);
    }

    public async ValueTask DisposeAsync()
    {
        await _rig.DisposeAsync();
        _folder.Dispose();
    }

    private static async Task<HttpResponseMessage> GetAsync(HttpClient client, string path, string? authorization = null, string? host = null, string? origin = null)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, path);
        if (authorization is not null) _ = request.Headers.TryAddWithoutValidation("Authorization", authorization);
        if (host is not null) request.Headers.Host = host;
        if (origin is not null) request.Headers.Add("Origin", origin);
        return await client.SendAsync(request);
    }

    [Fact]
    public async Task OnlyTheToken_OpensTheAdminApi_AndProbesNeedNone()
    {
        using HttpClient client = await _rig.AdminClientAsync(withToken: false);
        string token = _rig.TokenText;
        foreach (string? wrong in (string?[])[null, "Bearer", "Bearer ", $"Bearer {token}x", $"Bearer {token[..^1]}", $"Basic {token}", token])
        {
            HttpResponseMessage refused = await GetAsync(client, "/admin/snapshot", wrong);
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
            Assert.Equal("Bearer", refused.Headers.WwwAuthenticate.Single().Scheme);
        }
        Assert.Equal(HttpStatusCode.Unauthorized, (await GetAsync(client, "/admin/nothing")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await GetAsync(client, "/")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(client, "/admin/snapshot", $"bearer  {token}")).StatusCode);
        foreach (string open in (string[])["/livez", "/readyz", "/readyz?verbose", "/metrics"]) Assert.Equal(HttpStatusCode.OK, (await GetAsync(client, open)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await GetAsync(client, "/metrics", "Bearer wrong")).StatusCode);
    }

    [Fact]
    public async Task AtTheLimitOfWrongTokens_TheAddressIsLockedOut_AndTheRightOneIsLetInAllTheSame()
    {
        using HttpClient client = await _rig.AdminClientAsync(withToken: false);
        string right = $"Bearer {_rig.TokenText}";
        for (int i = 1; i < LoginGuard.MostFailures; i++) Assert.Equal(HttpStatusCode.Unauthorized, (await GetAsync(client, "/admin/snapshot", "Bearer guess")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(client, "/admin/snapshot", right)).StatusCode);
        for (int i = 1; i <= LoginGuard.MostFailures; i++) Assert.Equal(HttpStatusCode.Unauthorized, (await GetAsync(client, "/admin/snapshot", "Bearer guess")).StatusCode);
        HttpResponseMessage locked = await GetAsync(client, "/admin/snapshot", "Bearer guess");
        Assert.Equal(HttpStatusCode.TooManyRequests, locked.StatusCode);
        Assert.Equal(HttpStatusCode.TooManyRequests, (await GetAsync(client, "/admin/snapshot")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(client, "/admin/snapshot", right)).StatusCode);
        // And stays so for who guesses.
        Assert.Equal(HttpStatusCode.TooManyRequests, (await GetAsync(client, "/admin/snapshot", "Bearer guess")).StatusCode);
        Assert.InRange(locked.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, LoginGuard.LockOut.TotalSeconds);
        // Probes stay: an orchestrator must not restart the gateway because someone guesses tokens.
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(client, "/readyz")).StatusCode);
        Assert.Equal("locked_out", _rig.Audit.Newest(1)[0].GetProperty("result").GetString());
    }

    [Fact]
    public async Task RequestsWithoutAnyToken_LockNobodyOut()
    {
        using HttpClient client = await _rig.AdminClientAsync(withToken: false);
        for (int i = 0; i < 3 * LoginGuard.MostFailures; i++) Assert.Equal(HttpStatusCode.Unauthorized, (await GetAsync(client, "/admin/snapshot")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(client, "/admin/snapshot", $"Bearer {_rig.TokenText}")).StatusCode);
    }

    [Fact]
    public async Task ABrowserPage_GetsNothing()
    {
        using HttpClient client = await _rig.AdminClientAsync(withToken: false);
        Assert.Equal(HttpStatusCode.Forbidden, (await GetAsync(client, "/metrics", host: "evil.example:9901")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(client, "/metrics", host: "localhost:9901")).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await GetAsync(client, "/admin/snapshot", $"Bearer {_rig.TokenText}", origin: "https://evil.example")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(client, "/admin/snapshot", $"Bearer {_rig.TokenText}", origin: client.BaseAddress!.ToString().TrimEnd('/'))).StatusCode);
    }

    [Fact]
    public void TheToken_IsMadeOnce_ForTheOwnerAlone()
    {
        string path = _folder["new/admin.token"];
        _ = AdminToken.LoadOrCreate(path);
        string token = File.ReadAllText(path).Trim();
        Assert.Equal(43, token.Length);
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.True(AdminToken.LoadOrCreate(path).Accepts(token));
        Assert.False(AdminToken.LoadOrCreate(path).Accepts(token + "="));
        File.WriteAllText(path, "");
        Assert.Contains("remove it", Assert.Throws<IOException>(() => AdminToken.LoadOrCreate(path)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0.0.0.0:9901")]
    [InlineData("[::]:9901")]
    [InlineData(":9901")]
    [InlineData("192.0.2.7:9901")]
    public void BeyondLoopback_WithoutTlsAndAClientCa_IsRefusedWithTheFix(string address)
    {
        using TestCertificates authority = new();
        TestCertificate server = authority.Server("admin", "127.0.0.1");
        FormatException e = Assert.Throws<FormatException>(() => AdminListenOptions.Load(address, null, null, null));
        Assert.Contains("--admin-client-ca", e.Message, StringComparison.Ordinal);
        _ = Assert.Throws<FormatException>(() => AdminListenOptions.Load(address, server.CertFile, server.KeyFile, null));
        AdminListenOptions.Load(address, server.CertFile, server.KeyFile, authority.CaFile).Dispose();
    }

    [Theory]
    [InlineData("9901")]
    [InlineData("example.com:9901")]
    [InlineData("127.0.0.1:99999")]
    [InlineData("::1:9901")]
    public void AnAddressThatIsNone_IsRefused(string address) =>
        Assert.Throws<FormatException>(() => AdminListenOptions.Load(address, null, null, null));

    [Fact]
    public async Task WithAClientCa_ACertificateOfIt_IsNeededBesideTheToken()
    {
        using TestCertificates authority = new(), other = new(caName: "other-ca");
        TestCertificate server = authority.Server("admin", "127.0.0.1");
        using AdminListenOptions listen = AdminListenOptions.Load("127.0.0.1:0", server.CertFile, server.KeyFile, authority.CaFile);
        Uri address = await _rig.ServeAdminAsync(listen);
        Assert.Equal("https", address.Scheme);
        string right = $"Bearer {_rig.TokenText}";
        using (HttpClient good = ClientOf(address, authority.Client("ops")))
        {
            Assert.Equal(HttpStatusCode.OK, (await GetAsync(good, "/admin/snapshot", right)).StatusCode);
            Assert.Equal(HttpStatusCode.Unauthorized, (await GetAsync(good, "/admin/snapshot")).StatusCode);
            using HttpRequestMessage apply = new(HttpMethod.Post, "/admin/config") { Content = ControlRig.Json(ControlRig.Respond("one")) };
            apply.Headers.Authorization = AuthenticationHeaderValue.Parse(right);
            Assert.Equal(HttpStatusCode.OK, (await good.SendAsync(apply)).StatusCode);
            Assert.Equal("token, CN=ops", _rig.Store.LastApplied!.Actor);
        }
        // Not even the probes: the handshake is refused.
        foreach (TestCertificate? bad in (TestCertificate?[])[null, other.Client("ops"), authority.Server("not-a-client", "ops")])
        {
            using HttpClient client = ClientOf(address, bad);
            _ = await Assert.ThrowsAsync<HttpRequestException>(() => GetAsync(client, "/livez"));
        }
    }

    private static HttpClient ClientOf(Uri address, TestCertificate? certificate)
    {
        SocketsHttpHandler handler = new() { UseProxy = false };
        handler.SslOptions.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
        if (certificate is not null)
        {
            // The platform takes keys for handshakes only from a certificate that was loaded with its key.
            X509Certificate2 loaded = X509CertificateLoader.LoadPkcs12(certificate.Certificate.Export(X509ContentType.Pkcs12), null);
            handler.SslOptions.LocalCertificateSelectionCallback = (_, _, _, _, _) => loaded;
        }
        return new HttpClient(handler) { BaseAddress = address };
    }
}
