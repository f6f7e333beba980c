using System.Net;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.ControlPlane;

/// <summary>A rejected, validated or dry-run configuration changes no endpoint, counter or connection.</summary>
public sealed class RejectionTests
{
    [Fact]
    public async Task RejectedValidatedAndDryRun_TouchNothingLive()
    {
        await using RawOrigin live = RawOrigin.Start(async connection =>
        {
            while (await connection.ReadHeadAsync() is not null) await connection.RespondAsync(200, "live");
        });
        await using RawOrigin candidate = RawOrigin.Answering("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew");
        string config = Doc.Proxy(live.Address);
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(config);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        for (int i = 0; i < 5; i++) Assert.Equal("live", (await client.RequestAsync(Doc.Get())).Text);

        async Task<string> State()
        {
            MetricSamples metrics = await gateway.MetricsAsync();
            return (await gateway.GetAsync("/admin/pools")).Text + (await gateway.GetAsync("/admin/config")).Text + string.Join('\n', metrics.Samples
                .Where(s => s.Key.StartsWith("gateway_requests_total", StringComparison.Ordinal) || s.Key.StartsWith("gateway_upstream", StringComparison.Ordinal)
                    || s.Key.StartsWith("gateway_config_info", StringComparison.Ordinal) || s.Key.StartsWith("gateway_connections", StringComparison.Ordinal))
                .Select(s => $"{s.Key} {s.Value}").Order());
        }
        string before = await State();
        int descriptors = gateway.Descriptors;

        // A good document in all but one place: its pools replace the live endpoint, its listener moves.
        string broken = Doc.Of($"{Doc.Route("all")}, {Doc.Route("bad", Doc.Prefix("/x"), "missing")}", Doc.Pool("main", candidate.Address));
        string good = Doc.Proxy(candidate.Address);
        for (int i = 0; i < 10; i++)
        {
            Assert.Equal(HttpStatusCode.BadRequest, (await gateway.TryApplyAsync(broken)).Status);
            Assert.Equal(HttpStatusCode.BadRequest, (await gateway.TryApplyAsync("{")).Status);
            Assert.Equal(HttpStatusCode.OK, (await gateway.PostAsync("/admin/validate", good)).Status);
            Assert.Equal(HttpStatusCode.OK, (await gateway.TryApplyAsync(good, query: "?dryRun=true")).Status);
            Assert.Equal(HttpStatusCode.PreconditionFailed, (await gateway.TryApplyAsync(good, ifMatch: new string('0', 64))).Status);
        }
        Assert.Equal(before, await State());
        Assert.Equal("live", (await client.RequestAsync(Doc.Get())).Text);
        Assert.Equal((1, 0), (live.ConnectionCount, candidate.ConnectionCount));
        Assert.InRange(gateway.Descriptors, descriptors - 2, descriptors + 2);
    }

    public static TheoryData<string, string, string> Broken => new()
    {
        { "syntax", "{ \"version\": \"v1\", }", "syntax" },
        { "an empty document", "", "syntax" },
        { "an array", "[]", "wrong_type" },
        { "another version", """{ "version": "v2" }""", "unsupported_version" },
        { "no version", """{ "routes": [] }""", "missing_field" },
        { "a duplicate key", """{ "version": "v1", "routes": [], "routes": [] }""", "duplicate_key" },
        { "an unknown field", """{ "version": "v1", "rutes": [] }""", "unknown_field" },
        { "a wrong type", """{ "version": "v1", "routes": {} }""", "wrong_type" },
        { "two routes of one name", Doc.Of("""{ "name": "a", "respond": {} }, { "name": "a", "respond": {} }""", ""), "duplicate_name" },
        { "two listeners of one name", Doc.Of("", "", Doc.WebListener + "," + Doc.WebListener), "duplicate_name" },
        { "a pool that is not there", Doc.Of(Doc.Route("a", pool: "nowhere"), ""), "unknown_reference" },
        { "a listener that is not there", Doc.Of("""{ "name": "a", "listeners": ["nowhere"], "respond": {} }""", ""), "unknown_reference" },
        { "a certificate that is not there", Doc.Of("", "", """{ "name": "web", "address": "127.0.0.1:0", "tls": { "certificates": ["nowhere"] } }"""), "unknown_reference" },
        { "a route with two actions", Doc.Of("""{ "name": "a", "respond": {}, "redirect": {} }""", ""), "conflict" },
        { "a route without an action", Doc.Of("""{ "name": "a" }""", ""), "missing_field" },
        { "a bad regular expression", Doc.Of(Doc.Route("a", "\"path\": { \"regex\": \"(a\" }"), Doc.Pool("main")), "invalid_regex" },
        { "a regular expression that needs backtracking", Doc.Of(Doc.Route("a", "\"path\": { \"regex\": \"^(a)\\\\1$\" }"), Doc.Pool("main")), "invalid_regex" },
        { "a bad duration", Doc.Of(Doc.Route("a", more: "\"timeouts\": { \"request\": \"5 minutes\" }"), Doc.Pool("main")), "invalid_value" },
        { "a duration out of range", Doc.Of(Doc.Route("a", more: "\"timeouts\": { \"request\": \"100h\" }"), Doc.Pool("main")), "out_of_range" },
        { "a bad endpoint address", Doc.Of(Doc.Route("a"), Doc.Pool("main", "10.0.0.1")), "invalid_value" },
        { "a certificate file that is not there", Doc.Of("", "", """{ "name": "web", "address": "127.0.0.1:0", "tls": { "certificates": ["a"] } }""", "\"certificates\": { \"a\": { \"certFile\": \"no.pem\", \"keyFile\": \"no.key\" } }"), "file_unreadable" },
        { "a bad network", Doc.Of("", "", """{ "name": "web", "address": "127.0.0.1:0", "trustedProxies": ["10.0.0.0/33"] }"""), "invalid_value" },
        { "a wildcard in the middle of a host", Doc.Of("""{ "name": "a", "match": { "hosts": ["a.*.test"] }, "respond": {} }""", ""), "invalid_value" },
        { "a document that is too deep", """{ "version": "v1", "routes": """ + new string('[', 300) + new string(']', 300) + "}", "too_deep" },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public async Task BrokenDocument_IsNamedByItsCodeWithAMessage(string what, string document, string code)
    {
        using var folder = new TempFolder();
        string file = folder.Write("broken.json", document);
        CommandResult result = await GatewayProcess.RunAsync("validate", file);
        Assert.True(result.ExitCode == 1, $"{what}: exit {result.ExitCode}\n{result.Both}");
        Assert.True(result.Both.Contains($": {code}: ", StringComparison.Ordinal), $"{what}: {code} expected\n{result.Both}");
    }
}
