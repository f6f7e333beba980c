using System.Text;
using Gateway.Config;
using Gateway.ControlPlane.Apply;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Apply;

public sealed class ExpectTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Routes beta and shop on one prefix, a redirect and a fixed response; the cases stand in the first route.</summary>
    private static string Document(string cases, string shop = "/api") => $$"""
        { "version": "v1",
          "listeners": [ { "name": "web", "address": "127.0.0.1:0" }, { "name": "inner", "address": "127.0.0.1:0" } ],
          "routes": [
            { "name": "beta", "listeners": ["web"], "match": { "hosts": ["shop.example.com"], "path": { "prefix": "/api" }, "headers": [{ "name": "x-beta", "value": "1" }] }, "pool": "beta", "expect": [ {{cases}} ] },
            { "name": "shop", "match": { "hosts": ["shop.example.com"], "path": { "prefix": "{{shop}}" } }, "pool": "shop" },
            { "name": "old", "match": { "hosts": ["old.example.com"] }, "redirect": { "scheme": "https", "host": "shop.example.com", "status": 301 } },
            { "name": "inner", "listeners": ["inner"], "match": { "path": { "exact": "/inner" } }, "respond": { "status": 299, "body": "x" } } ],
          "pools": { "shop": { "endpoints": [{ "address": "10.0.0.1:80" }] }, "beta": { "endpoints": [{ "address": "10.0.0.2:80" }] } } }
        """;

    private static string Case(string url, string expected, string request = "") => $$"""{ "request": { "url": "{{url}}"{{request}} }, {{expected}} }""";

    private static readonly string Holding = string.Join(", ",
        Case("http://shop.example.com/api/x", "\"route\": \"shop\", \"pool\": \"shop\""),
        Case("http://shop.example.com/api/x", "\"route\": \"beta\", \"pool\": \"beta\"", ", \"method\": \"POST\", \"headers\": { \"X-Beta\": \"1\" }"),
        Case("http://old.example.com/a?b", "\"status\": 301, \"headers\": { \"location\": \"https://shop.example.com/a?b\" }"),
        Case("http://nowhere.example/", "\"status\": 404"),
        Case("http://shop.example.com/api/..%2fx", "\"status\": 404"));

    [Theory]
    [InlineData("\"route\": \"beta\"", "routes[0].expect[0].route", "expected route 'beta', but route 'shop' forwards to pool 'shop': route 'beta' lost because header x-beta is absent; it must be \"1\".")]
    [InlineData("\"route\": \"gone\"", "routes[0].expect[0].route", "expected route 'gone', but route 'shop' forwards to pool 'shop': listener 'web', which takes the request, has no route 'gone'.")]
    [InlineData("\"pool\": \"beta\"", "routes[0].expect[0].pool", "expected pool 'beta', but route 'shop' forwards to pool 'shop': it matched by host shop.example.com, prefix /api; all of its conditions hold.")]
    [InlineData("\"status\": 404", "routes[0].expect[0].status", "expected status 404, but route 'shop' forwards to pool 'shop': it matched by host shop.example.com")]
    [InlineData("\"headers\": { \"location\": \"/\" }", "routes[0].expect[0].headers.location", "expected header location: /, but route 'shop' forwards to pool 'shop': the gateway's answer has no such field.")]
    public async Task ACaseThatDoesNotHold_RejectsTheDocument_AndSaysWhatHappenedAndWhy(string expected, string path, string message)
    {
        await using ControlRig rig = new(_folder);
        await rig.StartAsync(Document(""));
        string live = rig.Queue.Live!.Version;
        ApplyResult result = await rig.ApplyAsync(Document(Case("http://shop.example.com/api/x", expected)));
        ConfigError error = Assert.Single(result.Errors);
        Assert.Equal((ApplyOutcome.Rejected, "expect_failed", path), (result.Outcome, error.Code, error.Path));
        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
        Assert.Equal(live, rig.Queue.Live!.Version);
    }

    [Fact]
    public async Task CasesThatHold_LetTheDocumentIn()
    {
        await using ControlRig rig = new(_folder);
        await rig.StartAsync(Document(""));
        ApplyResult result = await rig.ApplyAsync(Document(Holding));
        Assert.True(result.IsGood, string.Join("\n", result.Errors));
    }

    [Fact]
    public async Task EveryBrokenCase_IsNamed_AndTooManyAreCutShort()
    {
        await using ControlRig rig = new(_folder);
        await rig.StartAsync(Document(""));
        string[] cases = [.. Enumerable.Range(0, 150).Select(i => Case($"http://shop.example.com/{i}", "\"route\": \"shop\""))];
        ApplyResult result = await rig.ApplyAsync(Document(string.Join(", ", cases)));
        Assert.Equal(101, result.Errors.Count);
        Assert.Equal("routes[0].expect[99].route", result.Errors[99].Path);
        Assert.Equal("too_many", result.Errors[100].Code);
    }

    [Fact]
    public async Task TheGate_IsOnValidateDryRunStartAndFile_AndNotOnRollbackOrRestart()
    {
        string failing = Document(Case("http://shop.example.com/api/x", "\"route\": \"beta\"")), wrong = Document(Holding, shop: "/elsewhere");
        await using (ControlRig refused = new(_folder)) Assert.Equal("expect_failed", Assert.Single((await refused.StartAsync(failing)).FileErrors).Code);

        await using ControlRig rig = new(_folder);
        Assert.True((await rig.StartAsync(Document(Holding))).Started);
        Assert.Equal("expect_failed", Assert.Single((await rig.Queue.ValidateAsync(ControlRig.Document(wrong), CancellationToken.None)).Errors).Code);
        Assert.Equal("expect_failed", Assert.Single((await rig.ApplyAsync(wrong, dryRun: true)).Errors).Code);
        rig.File.Watch();
        await File.WriteAllTextAsync(rig.ConfigFile, wrong);
        await Eventually.Until("the file's new content is refused", () => !rig.File.Status.IsGood && rig.File.Status.Errors[0].Code == "expect_failed");

        // Nothing of that changed what is live, so there is something to go back to.
        await rig.ApplyAsync(Document(""));
        Assert.Equal(ApplyOutcome.Applied, (await rig.Queue.RollbackAsync(null, ControlRig.Admin with { Source = "rollback" }, CancellationToken.None)).Outcome);
    }

    [Fact]
    public async Task ARollback_AsksNoCase()
    {
        // A document that no apply would let in, as an older gateway may have stored it.
        string failing = Document(Case("http://shop.example.com/api/x", "\"route\": \"beta\""));
        await using ControlRig rig = new(_folder);
        await rig.StartAsync(Document(""));
        byte[] bytes = Encoding.UTF8.GetBytes(failing);
        string digest = ControlPlane.Store.ConfigStore.DigestOf(bytes);
        rig.Store.Save(digest, "json", bytes);
        rig.Store.Append(new ControlPlane.Store.HistoryRecord { Version = new string('a', 64), Digest = digest, Source = "admin", Result = "applied", Time = DateTimeOffset.UnixEpoch }, 10);
        ApplyResult result = await rig.Queue.RollbackAsync(new string('a', 64), ControlRig.Admin with { Source = "rollback" }, CancellationToken.None);
        Assert.True(result.Outcome == ApplyOutcome.Applied, string.Join("\n", result.Errors));
    }
}
