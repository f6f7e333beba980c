using System.Text;
using System.Text.Json;
using Gateway.Client;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Ctl;

/// <summary>gatewayctl and the client library against a running gateway: both sides of the admin API fit.</summary>
public sealed class CtlAndGatewayTests
{
    private static string Document(string pool, string endpoint) => $$"""
        { "version": "v1", "listeners": [{ "name": "web", "address": "127.0.0.1:0" }],
          "routes": [
            { "name": "all", "pool": "{{pool}}" },
            { "name": "beta", "match": { "hosts": ["a.example"], "path": { "prefix": "/x" }, "methods": ["GET"], "headers": [{ "name": "x-beta", "value": "1" }] }, "respond": { "status": 204 } } ],
          "pools": { "{{pool}}": { "endpoints": [{ "address": "{{endpoint}}" }] } } }
        """;

    [Fact]
    public async Task ApplyLookRollBack_FromTheShell()
    {
        await using HttpOrigin one = await HttpOrigin.StartAsync("one"), two = await HttpOrigin.StartAsync("two");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document("one", one.Address));
        using var http = new HttpClient(H2Client.Handler()) { BaseAddress = gateway.Listener() };
        Assert.Equal("one", await OriginAsync(http));

        CommandResult validated = await gateway.CtlAsync("validate", gateway.Folder.Write("two.json", Document("two", two.Address)));
        Assert.StartsWith("ok, version ", validated.Out, StringComparison.Ordinal);
        CommandResult dry = await gateway.CtlAsync("apply", gateway.Folder["two.json"], "--dry-run");
        Assert.StartsWith("would apply ", dry.Out, StringComparison.Ordinal);
        Assert.Equal("one", await OriginAsync(http));

        CommandResult applied = await gateway.CtlAsync("apply", gateway.Folder["two.json"]);
        Assert.Equal((0, ""), (applied.ExitCode, applied.Error));
        Assert.Equal("two", await OriginAsync(http));
        CommandResult again = await gateway.CtlAsync("apply", gateway.Folder["two.json"]);
        Assert.StartsWith("already live: ", again.Out, StringComparison.Ordinal);

        CommandResult routes = await gateway.CtlAsync("routes"), pools = await gateway.CtlAsync("pools"), snapshot = await gateway.CtlAsync("snapshot");
        Assert.Matches(@"beta +web +a\.example +prefix /x +GET +header x-beta = 1 +respond 204", routes.Out);
        Assert.Matches($@"two +http1 +leastRequests +{two.Address} +1 +ok +0 +1 +0 +0 +1", pools.Out);
        Assert.Contains(gateway.Listener().Authority, snapshot.Out, StringComparison.Ordinal);
        Assert.Equal(Document("two", two.Address), (await gateway.CtlAsync("config")).Out);

        CommandResult stale = await gateway.CtlAsync("apply", gateway.Folder.Write("one.json", Document("one", one.Address)), "--if-match", new string('0', 64));
        Assert.Equal(1, stale.ExitCode);
        Assert.Contains("Someone else changed the configuration", stale.Error, StringComparison.Ordinal);

        CommandResult back = await gateway.CtlAsync("rollback");
        Assert.StartsWith("rolled back to ", back.Out, StringComparison.Ordinal);
        Assert.Equal("one", await OriginAsync(http));
        CommandResult history = await gateway.CtlAsync("history", "--json");
        JsonElement[] entries = [.. JsonDocument.Parse(history.Out).RootElement.GetProperty("entries").EnumerateArray()];
        Assert.Equal(["rollback", "admin", "file"], entries.Where(e => e.GetProperty("result").GetString() == "applied").Select(e => e.GetProperty("source").GetString()));
        Assert.True(entries[0].GetProperty("live").GetBoolean());
        Assert.Contains("rollback", (await gateway.CtlAsync("audit")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task EveryAnswerOfTheAdminApi_IsReadByTheClient()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document("one", origin.Address));
        using var client = new GatewayClient(new GatewayClientOptions { Server = gateway.AdminAddress, Token = gateway.Token });
        byte[] next = Encoding.UTF8.GetBytes(Document("two", origin.Address));

        Snapshot before = await client.GetSnapshotAsync();
        Assert.Equal(("file", 2, 1), (before.Source, before.Routes, before.Pools));
        ValidateResult valid = await client.ValidateAsync(next);
        ApplyResult applied = await client.ApplyAsync(next, ifMatch: before.Version);
        Assert.True(applied.Applied);
        Assert.Equal(valid.Version, applied.Version);
        ConfigDocument live = await client.GetConfigAsync();
        Assert.Equal((applied.Version, "application/json"), (live.Version, live.ContentType));
        Assert.True(live.Bytes.Span.SequenceEqual(next));
        Assert.Equal("two", Assert.Single((await client.GetPoolsAsync()).Pools).Name);
        RouteList page = await client.GetRoutesAsync(offset: 1, limit: 1);
        Assert.Equal((2, "beta"), (page.Total, Assert.Single(page.Routes).Name));
        RollbackResult back = await client.RollbackAsync();
        Assert.Equal((before.Version, applied.Version), (back.Version, back.Previous));
        Assert.Equal(["rollback", "admin", "file"], (await client.GetHistoryAsync()).Entries.Select(e => e.Source));
        Assert.All((await client.GetAuditAsync()).Entries, e => Assert.Equal("applied", e.Result));
        Readiness readiness = await client.GetReadinessAsync();
        Assert.True(readiness.Ready);
        Assert.Contains("gateway_config_info", await client.GetMetricsAsync(), StringComparison.Ordinal);

        GatewayApiException stale = await Assert.ThrowsAsync<GatewayApiException>(() => client.ApplyAsync(next, ifMatch: applied.Version));
        Assert.Equal(412, stale.Status);
        GatewayApiException bad = await Assert.ThrowsAsync<GatewayApiException>(() => client.ApplyAsync("{ \"version\": \"v1\", \"x\": 1 }"u8.ToArray()));
        Assert.Equal((400, "unknown_field"), (bad.Status, bad.Errors[0].Code));
        using var stranger = new GatewayClient(new GatewayClientOptions { Server = gateway.AdminAddress, Token = "wrong" });
        Assert.Equal(401, (await Assert.ThrowsAsync<GatewayApiException>(() => stranger.GetSnapshotAsync())).Status);
    }

    [Fact]
    public async Task AdminApiWithClientCertificates_IsReachedWithCaCertAndKey()
    {
        using var folder = new TempFolder();
        using var certificates = new TestCertificates(folder.Root);
        TestCertificate server = certificates.Server("admin", "127.0.0.1"), person = certificates.Client("ada");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Document("one", "127.0.0.1:1"), new GatewayProcessOptions
        {
            Arguments = ["--admin-tls-cert", server.CertFile, "--admin-tls-key", server.KeyFile, "--admin-client-ca", certificates.CaFile],
        });
        Assert.Equal("https", gateway.AdminAddress.Scheme);
        CommandResult good = await gateway.CtlAsync("snapshot", "--ca", certificates.CaFile, "--cert", person.CertFile, "--key", person.KeyFile);
        Assert.Equal((0, ""), (good.ExitCode, good.Error));
        CommandResult unknownServer = await gateway.CtlAsync("snapshot", "--cert", person.CertFile, "--key", person.KeyFile);
        Assert.Equal(70, unknownServer.ExitCode);
        Assert.Contains("--ca", unknownServer.Error, StringComparison.Ordinal);
        CommandResult nobody = await gateway.CtlAsync("snapshot", "--ca", certificates.CaFile);
        Assert.NotEqual(0, nobody.ExitCode);
    }

    private static async Task<string> OriginAsync(HttpClient http)
    {
        using HttpResponseMessage response = await http.GetAsync(new Uri("/", UriKind.Relative));
        return Assert.Single(response.Headers.GetValues("x-origin"));
    }
}
