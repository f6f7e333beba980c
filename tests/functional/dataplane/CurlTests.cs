using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.DataPlane;

/// <summary>curl and nghttp2's tools, clients that were not written with this gateway in mind.</summary>
public sealed class CurlTests(CurlSite site) : IClassFixture<CurlSite>
{
    [Theory]
    [InlineData("--http1.1", "1.1")]
    [InlineData("--http2-prior-knowledge", "2")]
    [InlineData("--http1.0", "1.1")]
    public async Task Cleartext(string option, string version)
    {
        CommandResult result = await Command.RunAsync(Tool.Require("curl"), "-sS", option, "-w", "\n%{http_code} %{http_version}", "-d", "the body", $"{site.Gateway.Listener()}some/path?q=1");
        string[] lines = result.Out.Split('\n');
        Assert.True(lines.Length == 2, result.Both);
        Assert.Equal($"200 {version}", lines[1]);
        Echo echo = Echo.Parse(lines[0]);
        Assert.Equal(("POST", "/some/path?q=1", "the body"), (echo.Method, echo.Target, echo.Body));
    }

    [Fact]
    public async Task Http2UpgradeRequest_IsServedAsHttp11()
    {
        CommandResult result = await Command.RunAsync(Tool.Require("curl"), "-sS", "--http2", "-w", "\n%{http_code} %{http_version}", site.Gateway.Listener().ToString());
        Assert.EndsWith("\n200 1.1", result.Out);
    }

    [Theory]
    [InlineData("--http1.1", "1.1")]
    [InlineData("--http2", "2")]
    public async Task Tls(string option, string version)
    {
        Uri tls = site.Gateway.Listener("tls");
        CommandResult result = await Command.RunAsync(Tool.Require("curl"), "-sS", option, "--cacert", site.Certificates.CaFile,
            "--resolve", $"shop.test:{tls.Port}:127.0.0.1", "-w", "\n%{http_code} %{http_version}", $"https://shop.test:{tls.Port}/x");
        Assert.True(result.Out.EndsWith($"\n200 {version}", StringComparison.Ordinal), result.Both);
        Assert.Equal($"shop.test:{tls.Port}", Echo.Parse(result.Out.Split('\n')[0])["host"]);
    }

    [Fact]
    public async Task UnixSocket()
    {
        CommandResult result = await Command.RunAsync(Tool.Require("curl"), "-sS", "--unix-socket", site.UnixPath, "-w", "\n%{http_code}", "http://local.test/over/unix");
        Assert.True(result.Out.EndsWith("\n200", StringComparison.Ordinal), result.Both);
        Assert.Equal(("/over/unix", "local.test"), (Echo.Parse(result.Out.Split('\n')[0]).Target, Echo.Parse(result.Out.Split('\n')[0])["host"]));
    }

    [Theory]
    [InlineData("--http1.1")]
    [InlineData("--http2-prior-knowledge")]
    public async Task LargeUploadWithExpectAndDownload(string option)
    {
        string curl = Tool.Require("curl");
        using var folder = new TempFolder();
        byte[] data = new byte[5_000_000];
        new Random(1).NextBytes(data);
        File.WriteAllBytes(folder["data"], data);
        CommandResult up = await Command.RunAsync(curl, "-sS", option, "-T", folder["data"], "-H", "Expect: 100-continue", $"{site.Gateway.Listener()}sink");
        Assert.Equal($"5000000 {Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(data))}", up.Out);
        CommandResult down = await Command.RunAsync(curl, "-sS", option, "-o", folder["out"], "-w", "%{size_download}", $"{site.Gateway.Listener()}bytes/5000000?chunked=1");
        Assert.Equal("5000000", down.Out);
    }

    [Fact]
    public async Task H2load_ThousandRequestsOver16Streams_AllSucceed()
    {
        CommandResult result = await Command.RunAsync(Tool.Require("h2load"), "-n", "2000", "-c", "4", "-m", "16", $"{site.Gateway.Listener()}bytes/1000");
        Assert.Contains("2000 succeeded, 0 failed, 0 errored, 0 timeout", result.Out);
        Assert.Contains("status codes: 2000 2xx", result.Out);
    }

    [Fact]
    public async Task Nghttp_ReceivesTrailersAndSettles()
    {
        CommandResult result = await Command.RunAsync(Tool.Require("nghttp"), "-v", "-H", "te: trailers", "-H", ":authority: h2c.test", $"{site.Gateway.Listener()}trailers");
        Assert.Contains("x-checksum: abc123", result.Out);
    }
}

public sealed class CurlSite : IAsyncLifetime
{
    private readonly TempFolder _folder = new();

    public TestCertificates Certificates { get; private set; } = null!;
    public HttpOrigin Origin { get; private set; } = null!;
    public HttpOrigin H2c { get; private set; } = null!;
    public GatewayProcess Gateway { get; private set; } = null!;
    public string UnixPath => _folder["gw.sock"];

    public async ValueTask InitializeAsync()
    {
        Certificates = new TestCertificates(_folder.Root);
        _ = Certificates.Server("site", "shop.test");
        Origin = await HttpOrigin.StartAsync();
        H2c = await HttpOrigin.StartH2cAsync();
        Gateway = await GatewayProcess.StartAsync(Doc.Of($"{Doc.Route("all")}, {Doc.Route("h2c", Doc.Host("h2c.test"), "h2c")}",
            $"{Doc.Pool("main", Origin.Address)}, {Doc.PoolWith("h2c", "\"protocol\": \"h2c\"", H2c.Address)}",
            $$"""
            { "name": "web", "address": "127.0.0.1:0" },
            { "name": "unix", "address": "unix:{{UnixPath}}" },
            { "name": "tls", "address": "127.0.0.1:0", "tls": { "certificates": ["site"] } }
            """,
            "\"certificates\": { \"site\": { \"certFile\": \"site.pem\", \"keyFile\": \"site.key\" } }, " + Doc.NoAccessLog),
            new GatewayProcessOptions { Folder = _folder });
    }

    public async ValueTask DisposeAsync()
    {
        if (Gateway is not null) await Gateway.DisposeAsync();
        if (Origin is not null) await Origin.DisposeAsync();
        if (H2c is not null) await H2c.DisposeAsync();
        Certificates?.Dispose();
        _folder.Dispose();
    }
}
