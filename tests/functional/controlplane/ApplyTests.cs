using System.Net;
using System.Text.Json;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.ControlPlane;

/// <summary>Changing the configuration over the admin API.</summary>
public sealed class ApplyTests
{
    private static string Saying(string text, string more = "") => Doc.Of(
        routes: $$"""{ "name": "all", "respond": { "body": "{{text}}" } }""", pools: "", more: more);

    private static async Task<string> TextAsync(GatewayProcess gateway, string target = "/", string listener = "web") =>
        (await RawHttpClient.OnceAsync(gateway.Listener(listener), Doc.Get(target))).Text;

    [Fact]
    public async Task AppliedConfiguration_ServesTheNextRequestOfAnOpenConnection()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Saying("one"));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        Assert.Equal("one", (await client.RequestAsync(Doc.Get())).Text);
        AdminAnswer answer = await gateway.TryApplyAsync(Saying("two"));
        Assert.Equal(HttpStatusCode.OK, answer.Status);
        Assert.True(answer.Json.GetProperty("applied").GetBoolean());
        Assert.Matches("^[0-9a-f]{64}$", answer.Json.GetProperty("version").GetString());
        Assert.True(answer.Json.GetProperty("durationMs").GetDouble() >= 0);
        Assert.Equal(JsonValueKind.Array, answer.Json.GetProperty("warnings").ValueKind);
        Assert.Equal("two", (await client.RequestAsync(Doc.Get())).Text);
        Assert.Equal(answer.Json.GetProperty("version").GetString(), (await gateway.GetAsync("/admin/snapshot")).Json.GetProperty("version").GetString());
        Assert.Contains("\"two\"", (await gateway.GetAsync("/admin/config")).Text);
    }

    [Fact]
    public async Task SameMeaningInOtherBytes_HasTheSameVersionAndAppliesNothing()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Saying("one"));
        string version = await gateway.ApplyAsync(Saying("two"));
        AdminAnswer again = await gateway.TryApplyAsync("\n  " + Saying("two").Replace(", ", " ,\n ", StringComparison.Ordinal));
        Assert.Equal((HttpStatusCode.OK, false, version), (again.Status, again.Json.GetProperty("applied").GetBoolean(), again.Json.GetProperty("version").GetString()));
    }

    [Fact]
    public async Task IfMatch_GuardsAgainstLostUpdates()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Saying("one"));
        string first = (await gateway.GetAsync("/admin/snapshot")).Json.GetProperty("version").GetString()!;
        AdminAnswer second = await gateway.TryApplyAsync(Saying("two"), ifMatch: $"\"{first}\"");
        Assert.Equal(HttpStatusCode.OK, second.Status);
        Assert.Equal(HttpStatusCode.PreconditionFailed, (await gateway.TryApplyAsync(Saying("three"), ifMatch: first)).Status);
        Assert.Equal("two", await TextAsync(gateway));
        Assert.Equal(HttpStatusCode.OK, (await gateway.TryApplyAsync(Saying("three"), ifMatch: second.Json.GetProperty("version").GetString())).Status);
        Assert.Equal("three", await TextAsync(gateway));
    }

    [Fact]
    public async Task DryRunAndValidate_ChangeNothing()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Saying("one"));
        string version = (await gateway.GetAsync("/admin/snapshot")).Json.GetProperty("version").GetString()!;
        Assert.Equal(HttpStatusCode.OK, (await gateway.TryApplyAsync(Saying("two"), query: "?dryRun=true")).Status);
        AdminAnswer valid = await gateway.PostAsync("/admin/validate", Saying("two"));
        Assert.Equal((HttpStatusCode.OK, true), (valid.Status, valid.Json.GetProperty("ok").GetBoolean()));
        Assert.Equal(HttpStatusCode.BadRequest, (await gateway.PostAsync("/admin/validate", """{ "version": "v1", "nope": 1 }""")).Status);
        Assert.Equal((version, "one"), ((await gateway.GetAsync("/admin/snapshot")).Json.GetProperty("version").GetString(), await TextAsync(gateway)));
        Assert.Single((await gateway.GetAsync("/admin/history")).Json.GetProperty("entries").EnumerateArray(), e => e.GetProperty("result").GetString() == "applied");
    }

    [Fact]
    public async Task BrokenConfiguration_IsRefusedWithEveryErrorAtOnce()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Saying("one"));
        AdminAnswer refused = await gateway.TryApplyAsync("""
            { "version": "v1", "lisseners": [],
              "listeners": [ { "name": "web", "address": "nonsense" } ],
              "routes": [ { "name": "a", "match": { "path": { "regex": "(" } }, "pool": "missing" }, { "name": "a", "pool": "p", "timeouts": { "request": "soon" } } ],
              "pools": { "p": { "endpoints": [ { "address": "127.0.0.1:99999" } ] } } }
            """);
        Assert.Equal(HttpStatusCode.BadRequest, refused.Status);
        Assert.Equal("application/problem+json", refused.MediaType);
        foreach (string code in (string[])["lisseners: unknown_field", "routes[1].timeouts.request: invalid_value"]) Assert.Contains(code, refused.ErrorCodes);
        Assert.All(refused.Json.GetProperty("errors").EnumerateArray(), e => Assert.True(e.GetProperty("message").GetString()!.Length > 10));
        Assert.Equal("one", await TextAsync(gateway));
    }

    [Fact]
    public async Task Yaml_IsAccepted()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync("""
            version: v1
            listeners:
              - name: web
                address: 127.0.0.1:0
            routes:
              - name: all
                respond: { body: from yaml }
            """, new GatewayProcessOptions { ConfigName = "gateway.yaml" });
        Assert.Equal("from yaml", await TextAsync(gateway));
        AdminAnswer answer = await gateway.TryApplyAsync("version: v1\nlisteners: [{ name: web, address: '127.0.0.1:0' }]\nroutes: [{ name: all, respond: { body: again } }]\n", mediaType: "application/yaml");
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        Assert.Equal("again", await TextAsync(gateway));
    }

    [Fact]
    public async Task ConcurrentApplies_QueueAndOneOfThemIsLive()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Saying("start"));
        AdminAnswer[] answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => gateway.TryApplyAsync(Saying($"v{i}"))));
        Assert.All(answers, a => Assert.Equal(HttpStatusCode.OK, a.Status));
        string live = (await gateway.GetAsync("/admin/snapshot")).Json.GetProperty("version").GetString()!;
        int winner = Array.FindIndex(answers, a => a.Json.GetProperty("version").GetString() == live);
        Assert.Equal($"v{winner}", await TextAsync(gateway));
        Assert.Equal(21, (await gateway.GetAsync("/admin/history?limit=100")).Json.GetProperty("entries").EnumerateArray().Count(e => e.GetProperty("result").GetString() == "applied"));
    }

    [Fact]
    public async Task RollbackAndHistory_GoBackAndForthAndSurviveARestart()
    {
        using var folder = new TempFolder();
        var options = new GatewayProcessOptions { Folder = folder };
        string first, second;
        await using (GatewayProcess gateway = await GatewayProcess.StartAsync(Saying("one"), options))
        {
            first = (await gateway.GetAsync("/admin/snapshot")).Json.GetProperty("version").GetString()!;
            second = await gateway.ApplyAsync(Saying("two"));
            _ = await gateway.ApplyAsync(Saying("three"));
            AdminAnswer back = await gateway.PostAsync("/admin/rollback", "{}");
            Assert.Equal((HttpStatusCode.OK, second), (back.Status, back.Json.GetProperty("version").GetString()));
            Assert.Equal("two", await TextAsync(gateway));
            back = await gateway.PostAsync("/admin/rollback", $$"""{ "version": "{{first}}" }""");
            Assert.Equal((HttpStatusCode.OK, first), (back.Status, back.Json.GetProperty("version").GetString()));
            Assert.Equal("one", await TextAsync(gateway));
            Assert.Equal(HttpStatusCode.NotFound, (await gateway.PostAsync("/admin/rollback", $$"""{ "version": "{{new string('0', 64)}}" }""")).Status);
            back = await gateway.PostAsync("/admin/rollback", $$"""{ "version": "{{second}}" }""");
            Assert.Equal(HttpStatusCode.OK, back.Status);
            JsonElement[] entries = [.. (await gateway.GetAsync("/admin/history")).Json.GetProperty("entries").EnumerateArray()];
            Assert.Equal(second, entries.Single(e => e.GetProperty("live").GetBoolean()).GetProperty("version").GetString());
            Assert.Equal("rollback", entries[0].GetProperty("source").GetString());
        }
        // The file still says "one"; what was rolled back to stays.
        await using GatewayProcess again = await GatewayProcess.StartAsync(Saying("one"), options);
        Assert.Equal("two", await TextAsync(again));
        Assert.Equal(HttpStatusCode.OK, (await again.PostAsync("/admin/rollback", $$"""{ "version": "{{first}}" }""")).Status);
        Assert.Equal("one", await TextAsync(again));
    }

    [Fact]
    public async Task Audit_SaysWhoDidWhatWithWhatResult()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Saying("one"));
        string version = await gateway.ApplyAsync(Saying("two"));
        _ = await gateway.TryApplyAsync("{ broken");
        _ = await gateway.PostAsync("/admin/rollback", "{}");
        JsonElement[] entries = [.. (await gateway.GetAsync("/admin/audit")).Json.GetProperty("entries").EnumerateArray()];
        Assert.Contains(entries, e => e.GetProperty("result").GetString() == "applied" && e.GetProperty("version").GetString() == version
            && e.GetProperty("from").GetString()!.StartsWith("127.0.0.1", StringComparison.Ordinal));
        Assert.Contains(entries, e => e.GetProperty("result").GetString() == "rejected");
        Assert.Contains(entries, e => e.GetProperty("action").GetString() == "rollback");
        Assert.DoesNotContain(gateway.Token, string.Concat(Directory.GetFiles(gateway.DataDir, "*audit*").Select(File.ReadAllText)));
    }

    [Fact]
    public async Task ShadowedRoute_IsAWarningThatNamesBoth()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Saying("one"));
        AdminAnswer answer = await gateway.TryApplyAsync(Doc.Of(
            """{ "name": "first", "match": { "path": { "exact": "/a" } }, "respond": {} }, { "name": "second", "match": { "path": { "exact": "/a" } }, "respond": {} }""", ""));
        JsonElement warning = answer.Json.GetProperty("warnings").EnumerateArray().Single(w => w.GetProperty("code").GetString() == "shadowed_route");
        Assert.Equal("routes[1]", warning.GetProperty("path").GetString()![..9]);
        Assert.Contains("first", warning.GetProperty("message").GetString());
    }

    [Fact]
    public async Task Secrets_AreResolvedAndNeverShown()
    {
        using var folder = new TempFolder();
        using var authority = new TestCertificates(folder.Root);
        TestCertificate site = authority.Server("site", "site.test");
        string pem = File.ReadAllText(site.KeyFile);
        using (var key = System.Security.Cryptography.ECDsa.Create())
        {
            key.ImportFromPem(pem);
            File.WriteAllText(site.KeyFile, key.ExportEncryptedPkcs8PrivateKeyPem("the-pass-word", new System.Security.Cryptography.PbeParameters(
                System.Security.Cryptography.PbeEncryptionAlgorithm.Aes256Cbc, System.Security.Cryptography.HashAlgorithmName.SHA256, 1000)));
        }
        string config = Doc.Of("""{ "name": "all", "respond": { "body": "tls" } }""", "",
            """{ "name": "web", "address": "127.0.0.1:0", "tls": { "certificates": ["site"] } }""",
            "\"certificates\": { \"site\": { \"certFile\": \"site.pem\", \"keyFile\": \"site.key\", \"keyPassword\": \"${env:SITE_KEY_PASSWORD}\" } }");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(config, new GatewayProcessOptions
        {
            Folder = folder,
            Environment = new Dictionary<string, string> { ["SITE_KEY_PASSWORD"] = "the-pass-word" },
        });
        using HttpClient client = H2Client.Http1(gateway.Listener());
        Assert.Equal("tls", await client.GetStringAsync("/"));
        Assert.DoesNotContain("the-pass-word", (await gateway.GetAsync("/admin/config")).Text + (await gateway.GetAsync("/admin/snapshot")).Text);
        foreach (string file in Directory.GetFiles(gateway.DataDir, "*", SearchOption.AllDirectories).Where(f => Path.GetFileName(f) != "lock")) Assert.DoesNotContain("the-pass-word", File.ReadAllText(file));
        AdminAnswer refused = await gateway.TryApplyAsync(config.Replace("SITE_KEY_PASSWORD", "NOT_SET", StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.BadRequest, refused.Status);
        Assert.Contains("certificates.site.keyPassword: secret_reference", refused.ErrorCodes);
    }
}
