using System.Net;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Distribution;

/// <summary>Gateways that pull from a distributor: both built executables, with real sockets.</summary>
public sealed class PullTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private Signer _signer = null!;

    private string Dir => _folder["bundles"];

    public async ValueTask InitializeAsync()
    {
        _ = Directory.CreateDirectory(Dir);
        _signer = await Signer.MakeAsync(_folder);
    }

    public ValueTask DisposeAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    private string[] PullFrom(Uri distributor, params string[] more) => ["--pull", distributor.ToString(), "--pull-interval", "1s", "--public-key", _signer.PublicKey, .. more];

    private static async Task<string> TextAsync(GatewayProcess gateway) => (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Text;

    private static Task ServesAsync(GatewayProcess gateway, string text) => Eventually.Until($"the gateway says '{text}'", async () => await TextAsync(gateway) == text);

    private static async Task<string> PullCheckAsync(GatewayProcess gateway) =>
        (await gateway.GetAsync("/readyz?verbose")).Json.GetProperty("checks").EnumerateArray().Single(c => c.GetProperty("name").GetString() == "pull").ToString();

    [Fact]
    public async Task TwoGateways_FollowTheDistributor_AndServeOnWithoutIt()
    {
        _ = await _signer.PublishAsync(Dir, 1, Signer.Saying("one"));
        DistributorProcess distributor = await DistributorProcess.StartAsync(Dir);
        using var folderOfA = new TempFolder();
        using var folderOfB = new TempFolder();
        var withFile = new GatewayProcessOptions { Folder = folderOfA, Arguments = PullFrom(distributor.Address) };
        var withoutFile = new GatewayProcessOptions { Folder = folderOfB, Arguments = PullFrom(distributor.Address), WithoutConfig = true };
        await using (GatewayProcess a = await GatewayProcess.StartAsync(Signer.Saying("file"), withFile))
        await using (GatewayProcess b = await GatewayProcess.StartAsync(null, withoutFile))
        {
            await ServesAsync(a, "one");
            Assert.Equal("one", await TextAsync(b));
            _ = await _signer.PublishAsync(Dir, 2, Signer.Saying("two"));
            await Task.WhenAll(ServesAsync(a, "two"), ServesAsync(b, "two"));
            CommandResult snapshot = await a.CtlAsync("snapshot");
            Assert.Contains($"pull      {distributor.Address}bundles/latest: last success", snapshot.Out, StringComparison.Ordinal);
            Assert.True((await a.MetricsAsync()).Sum("gateway_config_pulls_total", "result=\"applied\"") >= 2);

            // Half a bundle in the folder, and one that is none.
            await File.WriteAllBytesAsync(Path.Combine(Dir, "3.bundle"), (await File.ReadAllBytesAsync(await _signer.SignAsync(3, Signer.Saying("three"))))[..^100]);
            await Eventually.Until("the distributor leaves it out", () => distributor.Log.Any(static l => l.Contains("3.bundle is left out", StringComparison.Ordinal)));
            await distributor.DisposeAsync();
            await Eventually.Until("the failure is told", async () => (await PullCheckAsync(a)).Contains("last error", StringComparison.Ordinal) && (await PullCheckAsync(b)).Contains("last error", StringComparison.Ordinal));
            AdminAnswer ready = await a.GetAsync("/readyz?verbose");
            Assert.Equal(HttpStatusCode.OK, ready.Status);
            Assert.Matches("last success 20.*; last error 20.*next try 20", await PullCheckAsync(a));
            Assert.Equal("two", await TextAsync(a));
            Assert.Equal("two", await TextAsync(b));
            Assert.Single(a.Error, static l => l.Contains("cannot pull from", StringComparison.Ordinal));
            await a.KillAsync();
            await b.KillAsync();
        }
        await using GatewayProcess a2 = await GatewayProcess.StartAsync(null, withFile);
        await using GatewayProcess b2 = await GatewayProcess.StartAsync(null, withoutFile);
        Assert.Equal("two", await TextAsync(a2));
        Assert.Equal("two", await TextAsync(b2));
        Assert.Contains("no success yet", await PullCheckAsync(b2), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithNothingButPull_TheFirstBundleIsWaitedFor()
    {
        await using DistributorProcess distributor = await DistributorProcess.StartAsync(Dir);
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(null, new GatewayProcessOptions { Arguments = PullFrom(distributor.Address), WithoutConfig = true, WaitForReady = false });
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await gateway.GetAsync("/readyz")).Status);
        foreach (string path in (string[])["/admin/snapshot", "/admin/config", "/admin/pools", "/admin/routes"]) Assert.NotEqual(HttpStatusCode.InternalServerError, (await gateway.GetAsync(path)).Status);
        Assert.Equal(HttpStatusCode.OK, (await gateway.GetAsync("/admin/history")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await gateway.PostAsync("/admin/rollback", "")).Status);
        _ = await _signer.PublishAsync(Dir, 1, Signer.Saying("one"));
        await gateway.ReadyAsync();
        Assert.Equal("one", await TextAsync(gateway));
        Assert.Equal(HttpStatusCode.OK, (await gateway.GetAsync("/readyz")).Status);
        Assert.Equal(0, await gateway.StopAsync());
    }

    [Fact]
    public async Task WithNothingButPull_ASignalEndsTheWaiting()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(null, new GatewayProcessOptions { Arguments = PullFrom(new Uri($"http://{RawOrigin.RefusedAddress()}")), WithoutConfig = true, WaitForReady = false });
        Assert.Equal(0, await gateway.StopAsync());
        Assert.DoesNotContain("ready", gateway.Out);
    }

    [Fact]
    public async Task ABundleWhoseExpectationsFail_IsAskedForOnce_AlsoOverARestart()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync("bundles");
        byte[] bundle = await File.ReadAllBytesAsync(await _signer.SignAsync(1, Signer.Saying("one", """, "expect": [ { "request": { "url": "http://a/" }, "status": 404 } ]""")));
        int downloads = 0, known = 0;
        origin.Map("/bundles/latest", http =>
        {
            http.Response.Headers.ETag = "\"one\"";
            if (http.Request.Headers.IfNoneMatch == "\"one\"")
            {
                _ = Interlocked.Increment(ref known);
                http.Response.StatusCode = 304;
                return Task.CompletedTask;
            }
            _ = Interlocked.Increment(ref downloads);
            return http.Response.Body.WriteAsync(bundle).AsTask();
        });
        using var folder = new TempFolder();
        var options = new GatewayProcessOptions { Folder = folder, Arguments = PullFrom(origin.Uri) };
        await using (GatewayProcess gateway = await GatewayProcess.StartAsync(Signer.Saying("file"), options))
        {
            await Eventually.Until("two more requests", () => Volatile.Read(ref known) >= 2);
            Assert.Contains("expect_failed", await PullCheckAsync(gateway), StringComparison.Ordinal);
            Assert.Contains("expect_failed", (await gateway.CtlAsync("snapshot")).Out, StringComparison.Ordinal);
            Assert.Equal("file", await TextAsync(gateway));
            await gateway.KillAsync();
        }
        int before = Volatile.Read(ref known);
        await using GatewayProcess restarted = await GatewayProcess.StartAsync(null, options);
        await Eventually.Until("two more requests", () => Volatile.Read(ref known) >= before + 2);
        Assert.Equal(1, Volatile.Read(ref downloads));
        Assert.Contains("expect_failed", await PullCheckAsync(restarted), StringComparison.Ordinal);
        Assert.Equal(0, (await restarted.MetricsAsync()).Sum("gateway_config_pulls_total", "result=\"applied\""));
    }

    [Fact]
    public async Task AWrongToken_IsTold_AndTheRightOneInTheFileIsTaken_OverTlsWithItsOwnAuthority()
    {
        using var certificates = new TestCertificates(_folder.Root);
        TestCertificate certificate = certificates.Server("site", "127.0.0.1");
        string token = new('t', 32), tokenFile = _folder.Write("gateway.token", new string('x', 32));
        _ = await _signer.PublishAsync(Dir, 1, Signer.Saying("one"));
        await using DistributorProcess distributor = await DistributorProcess.StartAsync(
            Dir, "127.0.0.1:0", "--token-file", _folder.Write("token", token), "--tls-cert", certificate.CertFile, "--tls-key", certificate.KeyFile, "--public-key", _signer.PublicKey);
        await using GatewayProcess stranger = await GatewayProcess.StartAsync(Signer.Saying("file"), new GatewayProcessOptions { Arguments = PullFrom(distributor.Address, "--pull-token-file", tokenFile) });
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Signer.Saying("file"), new GatewayProcessOptions { Arguments = PullFrom(distributor.Address, "--pull-token-file", tokenFile, "--pull-ca", certificates.CaFile) });
        await Eventually.Until("the wrong token is told", async () => (await PullCheckAsync(gateway)).Contains("answered 401", StringComparison.Ordinal));
        Assert.Equal("file", await TextAsync(gateway));
        await File.WriteAllTextAsync(tokenFile, token);
        await ServesAsync(gateway, "one");
        await Eventually.Until("the unknown authority is told", async () => (await PullCheckAsync(stranger)).Contains("certificate", StringComparison.OrdinalIgnoreCase));
        Assert.Equal("file", await TextAsync(stranger));
    }

    [Fact]
    public async Task Pull_NeedsAKeyOrTheWordThatItDoesNot_AndConfigIsNeededWithoutIt()
    {
        string[] data = ["--data-dir", _folder["data"], "--admin", "off"];
        CommandResult unsigned = await GatewayProcess.RunAsync(["run", "--pull", "http://127.0.0.1:9", .. data]);
        Assert.Equal((1, true), (unsigned.ExitCode, unsigned.Error.Contains("--public-key", StringComparison.Ordinal)));
        CommandResult nothing = await GatewayProcess.RunAsync(["run", .. data]);
        Assert.Equal((2, true), (nothing.ExitCode, nothing.Error.Contains("--config", StringComparison.Ordinal)));
        CommandResult interval = await GatewayProcess.RunAsync(["run", "--pull", "http://127.0.0.1:9", "--pull-interval", "5", "--public-key", _signer.PublicKey, .. data]);
        Assert.Equal((1, true), (interval.ExitCode, interval.Error.Contains("--pull-interval", StringComparison.Ordinal)));
        CommandResult url = await GatewayProcess.RunAsync(["run", "--pull", "distributor:9902", "--public-key", _signer.PublicKey, .. data]);
        Assert.Equal((1, true), (url.ExitCode, url.Error.Contains("--pull", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task WithAllowUnsignedAndNoKeys_WhatTheDistributorServesIsTaken()
    {
        _ = await _signer.PublishAsync(Dir, 1, Signer.Saying("one"));
        await using DistributorProcess distributor = await DistributorProcess.StartAsync(Dir);
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(null, new GatewayProcessOptions { Arguments = ["--pull", distributor.Address.ToString(), "--allow-unsigned"], WithoutConfig = true });
        Assert.Equal("one", await TextAsync(gateway));
        Assert.Contains("signed by nobody known", (await gateway.GetAsync("/admin/history")).Text, StringComparison.Ordinal);
    }
}
