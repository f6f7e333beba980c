using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Distribution;

/// <summary>gatewayctl distributor: what it serves of a folder, to whom, and when.</summary>
public sealed class DistributorTests : IAsyncLifetime
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

    private static async Task<(HttpStatusCode Status, byte[] Body, string? ETag)> GetAsync(HttpClient http, string path, string? etag = null, string? prefer = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (etag is not null) request.Headers.Add("If-None-Match", etag);
        if (prefer is not null) request.Headers.Add("Prefer", prefer);
        using HttpResponseMessage response = await http.SendAsync(request);
        return (response.StatusCode, await response.Content.ReadAsByteArrayAsync(), response.Headers.ETag?.ToString());
    }

    private static async Task<string> SequencesAsync(HttpClient http) =>
        string.Join(' ', JsonDocument.Parse((await GetAsync(http, "/bundles")).Body).RootElement.GetProperty("bundles").EnumerateArray().Select(b => b.GetProperty("sequence").GetInt32()));

    [Fact]
    public async Task PublishedBundles_AreListedAndServedByteForByteWithEntityTags()
    {
        byte[] two = await _signer.PublishAsync(Dir, 2, Signer.Saying("two"));
        await using DistributorProcess distributor = await DistributorProcess.StartAsync(Dir);
        using HttpClient http = distributor.Client();
        byte[] ten = await _signer.PublishAsync(Dir, 10, Signer.Saying("ten"));
        await Eventually.Until("bundle 10 is served", async () => (await GetAsync(http, "/bundles/latest")).Body.SequenceEqual(ten));
        Assert.Equal("10 2", await SequencesAsync(http));
        (HttpStatusCode status, byte[] body, string? etag) = await GetAsync(http, "/bundles/latest");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(ten, body);
        JsonElement older = JsonDocument.Parse((await GetAsync(http, "/bundles")).Body).RootElement.GetProperty("bundles")[1];
        Assert.Equal("number 2", older.GetProperty("notes").GetString());
        Assert.Equal(two.Length, older.GetProperty("size").GetInt32());
        Assert.Equal(two, (await GetAsync(http, "/bundles/" + older.GetProperty("version").GetString())).Body);
        Assert.Equal(HttpStatusCode.NotModified, (await GetAsync(http, "/bundles/latest", etag)).Status);
        Assert.Equal(HttpStatusCode.NotModified, (await GetAsync(http, "/bundles/latest", $"\"other\", W/{etag}")).Status);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(http, "/bundles/latest", "\"other\"")).Status);
        using var head = new HttpRequestMessage(HttpMethod.Head, "/bundles/latest");
        using HttpResponseMessage answer = await http.SendAsync(head);
        Assert.Equal(ten.Length, answer.Content.Headers.ContentLength);
        Assert.Empty(await answer.Content.ReadAsByteArrayAsync());
        using HttpResponseMessage post = await http.PostAsync("/bundles/latest", new StringContent("x"));
        Assert.Equal(HttpStatusCode.MethodNotAllowed, post.StatusCode);
    }

    [Fact]
    public async Task ALongPoll_IsAnsweredByTheNextBundle_OrWith304AfterItsTime()
    {
        _ = await _signer.PublishAsync(Dir, 1, Signer.Saying("one"));
        string next = await _signer.SignAsync(2, Signer.Saying("two"));
        await using DistributorProcess distributor = await DistributorProcess.StartAsync(Dir);
        using HttpClient http = distributor.Client();
        string? etag = (await GetAsync(http, "/bundles/latest")).ETag;
        long start = Stopwatch.GetTimestamp();
        Assert.Equal(HttpStatusCode.NotModified, (await GetAsync(http, "/bundles/latest", etag, "respond-async, wait=1")).Status);
        Assert.True(Stopwatch.GetElapsedTime(start) > TimeSpan.FromSeconds(0.9), "it did not wait");
        Task<(HttpStatusCode Status, byte[] Body, string? ETag)> waiting = GetAsync(http, "/bundles/latest", etag, "wait=50");
        File.Copy(next, Path.Combine(Dir, "next.bundle"));
        (HttpStatusCode status, byte[] body, _) = await Eventually.Within("the waiting request is answered", waiting);
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(await File.ReadAllBytesAsync(next), body);
    }

    [Fact]
    public async Task WhatIsNoWholeBundle_StaysOut_AndWhatWasServedStays()
    {
        byte[] one = await _signer.PublishAsync(Dir, 1, Signer.Saying("one"));
        byte[] two = await File.ReadAllBytesAsync(await _signer.SignAsync(2, Signer.Saying("two")));
        await using DistributorProcess distributor = await DistributorProcess.StartAsync(Dir);
        using HttpClient http = distributor.Client();
        string file = Directory.GetFiles(Dir).Single();
        await File.WriteAllTextAsync(Path.Combine(Dir, "package.json"), "{}");
        await File.WriteAllTextAsync(Path.Combine(Dir, "notes.txt"), "not even looked at");
        await File.WriteAllBytesAsync(file, two[..(two.Length / 2)]);
        await Eventually.Until("both are told of", () => distributor.Log.Any(l => l.Contains("package.json is left out", StringComparison.Ordinal)) && distributor.Log.Any(l => l.Contains("goes on being served", StringComparison.Ordinal)));
        Assert.Equal(one, (await GetAsync(http, "/bundles/latest")).Body);
        Assert.Equal("1", await SequencesAsync(http));
        await File.WriteAllBytesAsync(file, two);
        await Eventually.Until("the whole file is served", async () => (await GetAsync(http, "/bundles/latest")).Body.SequenceEqual(two));
        File.Delete(file);
        await Eventually.Until("the removed file is not served any more", async () => (await GetAsync(http, "/bundles/latest")).Status == HttpStatusCode.NotFound);
        Assert.DoesNotContain(distributor.Log, l => l.Contains("notes.txt", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Publish_RefusesWhatNoGatewayWouldTake()
    {
        string one = await _signer.SignAsync(1, Signer.Saying("one"));
        _ = await _signer.PublishAsync(Dir, 2, Signer.Saying("two"));
        CommandResult again = await Command.RunAsync(GatewayProcess.CtlExecutable, "bundle", "publish", "--dir", Dir, _folder["signed/2.bundle"]);
        Assert.Equal(0, again.ExitCode);
        Assert.Single(Directory.GetFileSystemEntries(Dir));
        CommandResult stale = await Command.RunAsync(GatewayProcess.CtlExecutable, "bundle", "publish", "--dir", Dir, one);
        Assert.Equal(1, stale.ExitCode);
        Assert.Contains("sequence 1", stale.Error, StringComparison.Ordinal);
        CommandResult none = await Command.RunAsync(GatewayProcess.CtlExecutable, "bundle", "publish", "--dir", Dir, _folder.Write("x.json", "{}"));
        Assert.Equal(1, none.ExitCode);
        Assert.Contains("malformed", none.Error, StringComparison.Ordinal);
        Assert.Single(Directory.GetFileSystemEntries(Dir));
    }

    [Fact]
    public async Task WithAToken_NothingIsToldWithoutIt_AndWithTlsCurlChecksTheCertificate()
    {
        string curl = Tool.Require("curl");
        using var certificates = new TestCertificates(_folder.Root);
        TestCertificate certificate = certificates.Server("site", "127.0.0.1");
        string token = new('t', 32);
        byte[] one = await _signer.PublishAsync(Dir, 1, Signer.Saying("one"));
        await using DistributorProcess distributor = await DistributorProcess.StartAsync(
            Dir, "127.0.0.1:0", "--token-file", _folder.Write("token", token + "\n"), "--tls-cert", certificate.CertFile, "--tls-key", certificate.KeyFile);
        Task<CommandResult> CurlAsync(params string[] arguments) => Command.RunAsync(curl, ["-sS", "-o", _folder["got"], "-w", "%{http_code}", .. arguments]);
        string latest = new Uri(distributor.Address, "/bundles/latest").ToString();
        Assert.NotEqual(0, (await CurlAsync(latest)).ExitCode);
        Assert.Equal("401", (await CurlAsync("--cacert", certificates.CaFile, latest)).Out);
        Assert.Equal("401", (await CurlAsync("--cacert", certificates.CaFile, "-H", "Authorization: Bearer " + new string('t', 31), latest)).Out);
        Assert.Equal("401", (await CurlAsync("--cacert", certificates.CaFile, new Uri(distributor.Address, "/bundles").ToString())).Out);
        Assert.Equal("200", (await CurlAsync("--cacert", certificates.CaFile, "-H", $"Authorization: Bearer {token}", latest)).Out);
        Assert.Equal(one, await File.ReadAllBytesAsync(_folder["got"]));
    }

    [Theory]
    [InlineData("/bundles/..%2f..%2f..%2fetc%2fpasswd", 400)]
    [InlineData("/bundles/../../../etc/passwd", 404)]
    [InlineData("/bundles/%2e%2e/%2e%2e/secret.json", 404)]
    [InlineData("/bundles/ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef0123456789", 400)]
    [InlineData("/bundles/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", 404)]
    [InlineData("/bundles/1-x.bundle", 400)]
    [InlineData("/", 404)]
    public async Task APathThatIsNoVersion_ReachesNoFile(string path, int status)
    {
        _ = _folder.Write("secret.json", "secret");
        _ = await _signer.PublishAsync(Dir, 1, Signer.Saying("one"));
        await using DistributorProcess distributor = await DistributorProcess.StartAsync(Dir);
        RawResponse response = await RawHttpClient.OnceAsync(distributor.Address, Doc.Get(path));
        Assert.Equal(status, response.Status);
        Assert.DoesNotContain("root:", response.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", response.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AWrongCommandLine_IsToldWithTheFix()
    {
        CommandResult folder = await Command.RunAsync(GatewayProcess.CtlExecutable, "distributor", "--dir", _folder["missing"], "--listen", "127.0.0.1:0");
        Assert.Equal((1, true), (folder.ExitCode, folder.Error.Contains("is no folder", StringComparison.Ordinal)));
        CommandResult address = await Command.RunAsync(GatewayProcess.CtlExecutable, "distributor", "--dir", Dir, "--listen", "here");
        Assert.Equal((1, true), (address.ExitCode, address.Error.Contains("write IP:PORT", StringComparison.Ordinal)));
        CommandResult token = await Command.RunAsync(GatewayProcess.CtlExecutable, "distributor", "--dir", Dir, "--listen", "127.0.0.1:0", "--token-file", _folder.Write("short", "abc"));
        Assert.Equal((1, true), (token.ExitCode, token.Error.Contains("openssl rand", StringComparison.Ordinal)));
    }
}
