using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Gateway.Functional.Tests.Distribution;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Fleet;

/// <summary>Signed bundles in a fleet: tried by one replica and no other, and verified by each.</summary>
public sealed class FleetBundleTests(PostgresFixture fixture) : IClassFixture<PostgresFixture>
{
    [Fact]
    public async Task ABadBundle_HarmsOneCanary_AndIsNeverTriedAgainByTheOthersThatPullIt()
    {
        using var folder = new TempFolder();
        Signer signer = await Signer.MakeAsync(folder);
        await using FleetSite site = new(fixture);
        await using DistributorProcess distributor = await DistributorProcess.StartAsync(folder["bundles"]);
        foreach (string replica in (string[])["a", "b", "c"])
            _ = await site.StartWithAsync(replica, FleetDoc.Document("one"), null, "--pull", distributor.Address.ToString(), "--pull-interval", "1s", "--public-key", signer.PublicKey);
        await site.AllSayAsync("one");
        await site.AllInStepAsync();
        await using (Visitors a = new(site["a"], "/odd"), b = new(site["b"], "/odd"), c = new(site["c"], "/odd"))
        {
            _ = await signer.PublishAsync(folder["bundles"], 1, FleetDoc.Document("two", odd: 500));
            // Each waits at the distributor for news, half a minute at most, before it looks what has become of the rollout.
            foreach (string replica in site.Running)
                await Eventually.Until($"{replica} will not have it again", async () => (await site[replica].MetricsAsync()).Sum("gateway_config_pulls_total", "result=\"refused\"") >= 1, TimeSpan.FromSeconds(90));
            Assert.Equal(1, await site.CanariesAsync("a") + await site.CanariesAsync("b") + await site.CanariesAsync("c"));
            Assert.Single([a.Failed, b.Failed, c.Failed], static failed => failed > 0);
        }
        // A good one after it goes through all.
        await using (Visitors a = new(site["a"], "/"), b = new(site["b"], "/"), c = new(site["c"], "/"))
        {
            _ = await signer.PublishAsync(folder["bundles"], 2, FleetDoc.Document("three"));
            await site.AllSayAsync("three");
            Assert.Equal((0, 0, 0), (a.Failed, b.Failed, c.Failed));
        }
        await site.AllInStepAsync();
    }

    [Fact]
    public async Task WhoeverWritesToTheDatabase_SignsNothing_ReplicasWithKeysTakeWhatTheyVerifyOrServedBefore()
    {
        using var folder = new TempFolder();
        Signer signer = await Signer.MakeAsync(folder);
        await using FleetSite site = new(fixture);
        foreach (string replica in (string[])["a", "b"]) _ = await site.StartAsync(replica, "file", "--public-key", signer.PublicKey);
        await site.AllSayAsync("file");
        await PushAsync(site["a"], await signer.SignAsync(1, Signer.Saying("one")));
        await site.AllSayAsync("one");
        await site.AllInStepAsync();
        Assert.Contains("\"bundleSequence\": 1", (await site["b"].GetAsync("/admin/history?limit=1")).Text, StringComparison.Ordinal);

        // A change that nobody signed, and one beside an envelope of something else.
        await fixture.Server!.ExecuteAsync(Change(site.Schema, 3, FleetSite.Saying("evil"), "NULL"));
        await RefusedAsync(site, 3, "no_signature");
        await fixture.Server.ExecuteAsync(Change(site.Schema, 4, FleetSite.Saying("worse"), $"(SELECT envelope FROM {site.Schema}.documents WHERE envelope IS NOT NULL LIMIT 1)"));
        await RefusedAsync(site, 4, "bad_digest");
        Assert.Contains("change 4 of the fleet", (await site["b"].GetAsync("/readyz?verbose")).Text, StringComparison.Ordinal);
        Assert.Matches("b +.* no +failed +.*unsigned_refused", (await site["a"].CtlAsync("fleet")).Out);
        await Eventually.Until("it is in the audit log", async () => (await site["b"].GetAsync("/admin/audit?limit=20")).Text.Contains("unsigned_refused", StringComparison.Ordinal));

        // The next bundle is taken by all, and what they served may be gone back to without a signature.
        await PushAsync(site["b"], await signer.SignAsync(2, Signer.Saying("two")));
        await site.AllSayAsync("two");
        Assert.Equal(HttpStatusCode.OK, (await site["a"].PostAsync("/admin/rollback", "")).Status);
        await site.AllSayAsync("one");
        Assert.Equal(HttpStatusCode.OK, (await site["b"].PostAsync("/admin/rollback", "")).Status);
        await site.AllSayAsync("file");
        await site.AllInStepAsync();

        // A rollout that nobody signed: no request gets it.
        string evil = FleetDoc.Document("evil");
        await fixture.Server.ExecuteAsync(
            $"INSERT INTO {site.Schema}.rollouts (rollout, version, digest, format, content, source, actor, origin, replica, bundle_sequence) VALUES ('default', '{Digest(evil)}', '{Digest(evil)}', 'json', decode('{Hex(evil)}', 'hex'), 'bundle', 'x', '', 'x', 9); "
            + $"INSERT INTO {site.Schema}.rollout_replicas (rollout, replica, position, state) SELECT max(id), 'a', 0, 'waiting' FROM {site.Schema}.rollouts; SELECT pg_notify('{site.Schema}_changed', '')");
        JsonElement view = await site.ViewAsync("b", "its end", v => FleetSite.RolloutState(v) == "aborted");
        Assert.Contains("replica a: (document): unsigned_refused", FleetSite.RolloutReason(view), StringComparison.Ordinal);
        Assert.DoesNotContain(Digest(evil), (await site["a"].GetAsync("/admin/rollouts")).Json.GetProperty("rollouts").GetRawText(), StringComparison.Ordinal);

        // What would be merged with other documents is signed by nobody.
        const string merged = """{ "version": "v1", "merge": "byName", "routes": [ { "name": "more", "match": { "path": { "prefix": "/more" } }, "respond": { "body": "more" } } ] }""";
        CommandResult refused = await site["a"].CtlAsync("bundle", "push", await signer.SignAsync(3, merged));
        Assert.True(refused.ExitCode == 1 && refused.Both.Contains("unsigned_refused", StringComparison.Ordinal), refused.Both);
        await site.AllSayAsync("file");
    }

    private static async Task PushAsync(GatewayProcess gateway, string bundle)
    {
        CommandResult pushed = await gateway.CtlAsync("bundle", "push", bundle);
        Assert.True(pushed.ExitCode == 0, pushed.Both);
    }

    private static async Task RefusedAsync(FleetSite site, int change, string code)
    {
        foreach (string replica in site.Running)
        {
            JsonElement view = await site.ViewAsync(replica, $"that it has not taken change {change}", v => FleetSite.Desired(v) == change && FleetSite.StateOf(v, replica) == "failed" && FleetSite.Of(v, replica).GetProperty("error").GetString()!.Contains(code, StringComparison.Ordinal));
            Assert.Contains($"change {change} of the fleet", view.GetProperty("error").GetString(), StringComparison.Ordinal);
        }
        await site.AllSayAsync("one");
    }

    private static string Change(string schema, int sequence, string document, string envelope) => string.Create(CultureInfo.InvariantCulture,
        $"""
        INSERT INTO {schema}.documents (digest, format, content, envelope) VALUES ('{Digest(document)}', 'json', decode('{Hex(document)}', 'hex'), {envelope});
        INSERT INTO {schema}.changes (sequence, version, digest, format, source, actor, origin, replica, bundle_sequence) VALUES ({sequence}, '{Digest(document)}', '{Digest(document)}', 'json', 'bundle', 'x', '', 'x', 1);
        UPDATE {schema}.head SET sequence = {sequence};
        SELECT pg_notify('{schema}_changed', '')
        """);

    private static string Digest(string document) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(document)));

    private static string Hex(string document) => Convert.ToHexStringLower(Encoding.UTF8.GetBytes(document));
}
