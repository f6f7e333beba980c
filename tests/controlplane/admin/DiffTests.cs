using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Admin;

public sealed class DiffTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private const string Shop = """
        { "version": "v1", "listeners": [ { "name": "web", "address": "127.0.0.1:0" }, { "name": "inner", "address": "127.0.0.1:0" } ],
          "routes": [
            { "name": "beta", "match": { "hosts": ["shop.example.com"], "path": { "prefix": "/api" }, "headers": [{ "name": "x-beta", "value": "1" }] }, "pool": "beta" },
            { "name": "shop", "match": { "hosts": ["shop.example.com"], "path": { "prefix": "/api" } }, "pool": "shop" },
            { "name": "down", "match": { "path": { "exact": "/down" } }, "respond": { "status": 503, "body": "back soon" } } ],
          "pools": { "shop": { "endpoints": [{ "address": "10.0.0.1:8080" }] }, "beta": { "endpoints": [{ "address": "10.0.0.9:8080" }] } } }
        """;

    private static async Task<JsonElement> DiffAsync(HttpClient client, string document, HttpStatusCode expected = HttpStatusCode.OK)
    {
        using HttpResponseMessage response = await client.PostAsync("/admin/diff", ControlRig.Json(document));
        JsonElement answer = await ControlRig.JsonAsync(response);
        Assert.True(expected == response.StatusCode, answer.ToString());
        return answer;
    }

    private static string[] Texts(JsonElement list) => [.. list.EnumerateArray().Select(static t => t.GetString()!)];

    [Fact]
    public async Task AChangeOfMatchPoolAndStatus_IsToldByWordAndByRequest_AndTheWitnessIsTrue()
    {
        await using ControlRig rig = new(_folder);
        await rig.StartAsync(Shop);
        using HttpClient client = await rig.AdminClientAsync();
        string next = Shop.Replace("\"value\": \"1\"", "\"value\": \"2\"").Replace("\"status\": 503", "\"status\": 404");
        JsonElement answer = await DiffAsync(client, next);
        Assert.Equal(["routes beta changed", "routes down changed"], answer.GetProperty("changes").EnumerateArray().Select(static c => $"{c.GetProperty("section")} {c.GetProperty("name")} {c.GetProperty("kind")}"));
        JsonElement behaviour = answer.GetProperty("behaviour");
        Assert.Equal((false, true), (behaviour.GetProperty("equivalent").GetBoolean(), behaviour.GetProperty("complete").GetBoolean()));
        JsonElement[] classes = [.. behaviour.GetProperty("classes").EnumerateArray()];
        Assert.Equal(["beta -> shop", "down -> down", "shop -> beta"], classes.Select(static c => $"{c.GetProperty("before").GetProperty("route")} -> {c.GetProperty("after").GetProperty("route")}"));
        Assert.Equal(["route", "pool"], Texts(classes[0].GetProperty("what")));
        Assert.Equal(["header x-beta = 1"], Texts(classes[0].GetProperty("conditions")));
        Assert.Equal(["beta"], Texts(classes[0].GetProperty("after").GetProperty("except")));
        Assert.Equal(["status", "respond"], Texts(classes[1].GetProperty("what")));
        Assert.All(classes, static c => Assert.Equal(["web", "inner"], Texts(c.GetProperty("listeners"))));
        foreach (JsonElement one in classes)
        {
            string witness = one.GetProperty("witness").GetRawText();
            Assert.Equal(one.GetProperty("before").GetProperty("route").GetString(), await RouteAsync(client, witness, null));
            Assert.Equal(one.GetProperty("after").GetProperty("route").GetString(), await RouteAsync(client, witness, next));
        }
    }

    private static async Task<string?> RouteAsync(HttpClient client, string witness, string? config)
    {
        string body = config is null ? witness : $"{witness.TrimEnd()[..^1]}, \"config\": {config} }}";
        using HttpResponseMessage response = await client.PostAsync("/admin/explain", ControlRig.Json(body));
        JsonElement answer = await ControlRig.JsonAsync(response);
        Assert.True(response.IsSuccessStatusCode, answer.ToString());
        return answer.GetProperty("route").GetString();
    }

    [Fact]
    public async Task WhatOnlyThePoolOrThePolicySays_IsABehaviourToo_AndAnAccessLogIsNot()
    {
        await using ControlRig rig = new(_folder);
        await rig.StartAsync(Shop);
        using HttpClient client = await rig.AdminClientAsync();
        JsonElement pool = Assert.Single((await DiffAsync(client, Shop.Replace("10.0.0.9:8080", "10.0.0.9:8081"))).GetProperty("behaviour").GetProperty("classes").EnumerateArray());
        Assert.Equal(["pools.beta"], Texts(pool.GetProperty("what")));
        JsonElement policy = Assert.Single((await DiffAsync(client, Shop.Replace("\"pool\": \"shop\" }", "\"pool\": \"shop\", \"timeouts\": { \"request\": \"5s\" } }"))).GetProperty("behaviour").GetProperty("classes").EnumerateArray());
        Assert.Equal(["timeouts"], Texts(policy.GetProperty("what")));
        Assert.True((await DiffAsync(client, Shop[..^2] + ", \"accessLog\": { \"output\": \"off\" } }")).GetProperty("behaviour").GetProperty("equivalent").GetBoolean());
        JsonElement gone = (await DiffAsync(client, Shop.Replace(", { \"name\": \"inner\", \"address\": \"127.0.0.1:0\" }", ""))).GetProperty("behaviour");
        Assert.False(gone.GetProperty("equivalent").GetBoolean());
        Assert.Equal(["inner"], Texts(gone.GetProperty("listenersRemoved")));
    }

    [Theory]
    [InlineData("\"name\": \"web\", \"address\": \"127.0.0.1:0\"", "\"name\": \"web\", \"address\": \"127.0.0.1:0\", \"limits\": { \"bodyBytes\": 5, \"requestRatePerAddress\": { \"perSecond\": 1 } }", "web: listeners.web.limits.requestRatePerAddress", "web: listeners.web.limits.bodyBytes")]
    [InlineData("\"name\": \"web\", \"address\": \"127.0.0.1:0\"", "\"name\": \"web\", \"address\": \"[::1]:0\", \"http2\": false", "web: listeners.web.address", "web: listeners.web.http2")]
    [InlineData("\"name\": \"web\", \"address\": \"127.0.0.1:0\"", "\"name\": \"web\", \"address\": \"127.0.0.1:0\", \"trustedProxies\": [\"10.0.0.0/8\"], \"proxyProtocol\": \"required\"", "web: listeners.web.proxyProtocol", "web: listeners.web.trustedProxies")]
    [InlineData("\"version\": \"v1\",", "\"version\": \"v1\", \"overload\": { \"memoryPercent\": 50 },", "web inner: overload.memoryPercent")]
    [InlineData("\"version\": \"v1\",", "\"version\": \"v1\", \"debug\": { \"explainHeader\": { \"addresses\": [\"10.0.0.0/8\"] } },", "web inner: debug.explainHeader")]
    public async Task WhatEveryRequestMeets_IsNoEquivalence(string was, string now, params string[] settings)
    {
        await using ControlRig rig = new(_folder);
        await rig.StartAsync(Shop);
        using HttpClient client = await rig.AdminClientAsync();
        JsonElement behaviour = (await DiffAsync(client, Shop.Replace(was, now, StringComparison.Ordinal))).GetProperty("behaviour");
        Assert.False(behaviour.GetProperty("equivalent").GetBoolean());
        Assert.Empty(behaviour.GetProperty("classes").EnumerateArray());
        Assert.Equal(settings, behaviour.GetProperty("settings").EnumerateArray().Select(static s => $"{string.Join(' ', Texts(s.GetProperty("listeners")))}: {s.GetProperty("what")}"));
    }

    [Fact]
    public async Task ClientCertificatesThatNeedNotBeShownAnyMore_AndOnlyCertificatesThatAreShown_AreNoEquivalence()
    {
        using TestCertificates certificates = new(_folder.Root);
        TestCertificate first = certificates.Server("first", "localhost"), second = certificates.Server("second", "localhost");
        static string Site(TestCertificate certificate) => $$"""{ "certFile": "{{certificate.CertFile}}", "keyFile": "{{certificate.KeyFile}}" }""";
        string document = $$"""
            { "version": "v1", "listeners": [ { "name": "web", "address": "127.0.0.1:0", "tls": { "certificates": ["site"], "clientCa": "{{certificates.CaFile}}", "clientCertificate": "required" } } ],
              "certificates": { "site": {{Site(first)}}, "unused": {{Site(first)}} }, "routes": [ { "name": "r", "respond": {} } ] }
            """;
        await using ControlRig rig = new(_folder);
        Assert.Empty((await rig.StartAsync(document)).FileErrors);
        using HttpClient client = await rig.AdminClientAsync();
        async Task<string[]> SettingsAsync(string next)
        {
            JsonElement behaviour = (await DiffAsync(client, next)).GetProperty("behaviour");
            string[] settings = [.. behaviour.GetProperty("settings").EnumerateArray().Select(static s => s.GetProperty("what").GetString()!)];
            Assert.Equal(settings.Length == 0, behaviour.GetProperty("equivalent").GetBoolean());
            return settings;
        }
        Assert.Equal(["listeners.web.tls.clientCertificate"], await SettingsAsync(document.Replace("\"required\"", "\"optional\"", StringComparison.Ordinal)));
        Assert.Equal(["certificates.site.certFile", "certificates.site.keyFile"], await SettingsAsync(document.Replace($"\"site\": {Site(first)}", $"\"site\": {Site(second)}", StringComparison.Ordinal)));
        Assert.Empty(await SettingsAsync(document.Replace($"\"unused\": {Site(first)}", $"\"unused\": {Site(second)}", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task ADocumentWithErrors_IsRefusedWithThem()
    {
        await using ControlRig rig = new(_folder);
        await rig.StartAsync(Shop);
        using HttpClient client = await rig.AdminClientAsync();
        JsonElement answer = await DiffAsync(client, Shop.Replace("\"pool\": \"shop\" }", "\"pool\": \"shoq\" }"), HttpStatusCode.BadRequest);
        Assert.Equal("unknown_reference", answer.GetProperty("errors")[0].GetProperty("code").GetString());
    }

    [Fact]
    public async Task OneChangedRouteOfTenThousand_IsFoundInLessThanASecond()
    {
        static string Document(string changed)
        {
            StringBuilder routes = new();
            for (int i = 0; i < 10_000; i++)
                routes.Append($$"""{ "name": "r{{i}}", "match": { "hosts": ["h{{i % 100}}.example.com"], "path": { "prefix": "/{{i}}" } }, "pool": "{{(i == 5000 ? changed : "a")}}" },""");
            return $$"""{ "version": "v1", "listeners": [ { "name": "web", "address": "127.0.0.1:0" } ], "routes": [ {{routes.ToString().TrimEnd(',')}} ], "pools": { "a": { "endpoints": [] }, "b": { "endpoints": [] } } }""";
        }
        await using ControlRig rig = new(_folder);
        await rig.StartAsync(Document("a"));
        using HttpClient client = await rig.AdminClientAsync();
        // The first compiles and reads with code that was not optimized yet.
        await DiffAsync(client, Document("b"));
        var watch = Stopwatch.StartNew();
        JsonElement answer = await DiffAsync(client, Document("b"));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(1), $"took {watch.Elapsed}");
        JsonElement one = Assert.Single(answer.GetProperty("behaviour").GetProperty("classes").EnumerateArray());
        Assert.Equal("http://h0.example.com/5000", one.GetProperty("witness").GetProperty("url").GetString());
    }
}
