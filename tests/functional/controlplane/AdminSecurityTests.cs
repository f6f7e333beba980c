using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.ControlPlane;

public sealed class AdminSecurityTests
{
    private static readonly string Config = Doc.Of("""{ "name": "all", "respond": { "body": "ok" } }""", "");

    private static readonly (string Method, string Path)[] Guarded =
    [
        ("POST", "/admin/config"), ("POST", "/admin/validate"), ("POST", "/admin/rollback"), ("GET", "/admin/config"), ("GET", "/admin/snapshot"),
        ("GET", "/admin/history"), ("GET", "/admin/pools"), ("GET", "/admin/routes"), ("GET", "/admin/audit"), ("GET", "/admin/nothing"),
    ];

    [Fact]
    public async Task WithoutTheToken_EverythingButProbesAndMetricsIs401()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Config);
        using HttpClient anonymous = gateway.AdminClient("");
        foreach (string open in (string[])["/livez", "/readyz", "/metrics"]) Assert.Equal(HttpStatusCode.OK, (await anonymous.GetAsync(open)).StatusCode);
        int refused = 0;
        foreach ((string method, string path) in Guarded)
        {
            using HttpResponseMessage response = await anonymous.SendAsync(new HttpRequestMessage(new HttpMethod(method), path));
            Assert.True(response.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.TooManyRequests, $"{method} {path}: {response.StatusCode}");
            if (response.StatusCode == HttpStatusCode.Unauthorized)
            {
                refused++;
                Assert.Equal("Bearer", response.Headers.WwwAuthenticate.First().Scheme);
            }
        }
        Assert.True(refused >= 5);
    }

    [Fact]
    public async Task TokenFile_IsPrivateAndKeptOverRestarts()
    {
        using var folder = new TempFolder();
        string token;
        await using (GatewayProcess gateway = await GatewayProcess.StartAsync(Config, new GatewayProcessOptions { Folder = folder }))
        {
            token = gateway.Token;
            Assert.True(token.Length >= 32);
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(gateway.DataDir, "admin.token")));
            Assert.DoesNotContain(token, gateway.Logs());
        }
        await using GatewayProcess again = await GatewayProcess.StartAsync(Config, new GatewayProcessOptions { Folder = folder });
        Assert.Equal(token, again.Token);
    }

    [Fact]
    public async Task WrongTokens_LockTheAddressOut_AndTheRightOneIsLetIn()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Config);
        using HttpClient wrong = gateway.AdminClient("wrong-token");
        HttpStatusCode last = HttpStatusCode.Unauthorized;
        for (int i = 0; i < 50 && last == HttpStatusCode.Unauthorized; i++) last = (await wrong.GetAsync("/admin/snapshot")).StatusCode;
        Assert.Equal(HttpStatusCode.TooManyRequests, last);
        using HttpResponseMessage locked = await wrong.GetAsync("/admin/snapshot");
        Assert.Equal(HttpStatusCode.TooManyRequests, locked.StatusCode);
        Assert.True(locked.Headers.RetryAfter?.Delta > TimeSpan.Zero);
        // Whoever guesses on this machine keeps nobody from ending a rollout.
        using HttpResponseMessage right = await gateway.Admin.GetAsync("/admin/snapshot");
        Assert.Equal(HttpStatusCode.OK, right.StatusCode);
        // Probes are not logins.
        Assert.Equal(HttpStatusCode.OK, (await wrong.GetAsync("/readyz")).StatusCode);
        Assert.Equal("ok", (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Text);
    }

    [Theory]
    [InlineData("Basic dG9rZW4=")]
    [InlineData("Bearer")]
    [InlineData("Bearer ")]
    [InlineData("bearer-token")]
    public async Task OtherCredentials_Are401(string authorization)
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Config);
        using HttpClient client = gateway.AdminClient("");
        using var request = new HttpRequestMessage(HttpMethod.Get, "/admin/snapshot");
        _ = request.Headers.TryAddWithoutValidation("Authorization", authorization);
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.SendAsync(request)).StatusCode);
    }

    [Fact]
    public async Task BodyBeyondTheLimit_Is413()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Config);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.AdminAddress);
        RawResponse response = await client.RequestAsync(
            $"POST /admin/config HTTP/1.1\r\nHost: {gateway.AdminAddress.Authority}\r\nAuthorization: Bearer {gateway.Token}\r\nContent-Type: application/json\r\nContent-Length: 10000000000\r\n\r\n");
        Assert.Equal(413, response.Status);
        Assert.Equal("ok", (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Text);
    }

    [Fact]
    public async Task AdminPaths_AreNotServedOnDataListeners()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of("""{ "name": "x", "match": { "hosts": ["x.test"] }, "respond": {} }""", ""));
        foreach (string path in (string[])["/admin/config", "/admin/snapshot", "/metrics", "/livez", "/readyz"])
        {
            Problem.Is(await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get(path, headers: $"Authorization: Bearer {gateway.Token}\r\n")), 404, "no_route");
        }
    }

    [Theory]
    [InlineData("0.0.0.0:0")]
    [InlineData("[::]:0")]
    public async Task NonLoopbackAdminWithoutTlsAndClientCa_IsRefusedAtStart(string address)
    {
        using var folder = new TempFolder();
        string file = folder.Write("gateway.json", Config);
        CommandResult result = await GatewayProcess.RunAsync("run", "--config", file, "--admin", address, "--data-dir", folder["data"]);
        Assert.Contains(result.ExitCode, (int[])[1, 2]);
        Assert.Contains("TLS", result.Both, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task NonLoopbackAdminWithTlsAndClientCa_NeedsCertificateAndToken()
    {
        using var folder = new TempFolder();
        using var authority = new TestCertificates(folder.Root);
        TestCertificate server = authority.Server("admin", "127.0.0.1");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Config, new GatewayProcessOptions
        {
            Folder = folder,
            Admin = "0.0.0.0:0",
            Arguments = ["--admin-tls-cert", server.CertFile, "--admin-tls-key", server.KeyFile, "--admin-client-ca", authority.CaFile],
        });
        var address = new Uri($"https://127.0.0.1:{gateway.AdminAddress.Port}");
        using HttpClient both = H2Client.Http1(address, authority.Client("operator").Certificate);
        both.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", gateway.Token);
        Assert.Equal(HttpStatusCode.OK, (await both.GetAsync("/admin/snapshot")).StatusCode);
        using HttpClient certificateOnly = H2Client.Http1(address, authority.Client("operator").Certificate);
        Assert.Equal(HttpStatusCode.Unauthorized, (await certificateOnly.GetAsync("/admin/snapshot")).StatusCode);
        using HttpClient tokenOnly = H2Client.Http1(address);
        tokenOnly.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", gateway.Token);
        _ = await Assert.ThrowsAsync<HttpRequestException>(() => tokenOnly.GetAsync("/admin/snapshot"));
    }

    [Fact]
    public async Task AdminOff_ServesTrafficWithoutIt()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Config, new GatewayProcessOptions { Admin = "off" });
        Assert.Equal("ok", (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Text);
        Assert.DoesNotContain(gateway.Out, l => l.StartsWith("admin ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task CrossSiteRequests_CannotUseABrowsersReach()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Config);
        // A page on another site can make a browser post text/plain to loopback, and DNS rebinding can name it anything; without the token it is nothing.
        using HttpClient browser = gateway.AdminClient("");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/admin/config") { Content = new StringContent(Config, Encoding.UTF8, "text/plain") };
        request.Headers.Add("Origin", "http://evil.test");
        Assert.Equal(HttpStatusCode.Unauthorized, (await browser.SendAsync(request)).StatusCode);
        Assert.False((await browser.GetAsync("/livez")).Headers.Contains("Access-Control-Allow-Origin"));
    }
}
