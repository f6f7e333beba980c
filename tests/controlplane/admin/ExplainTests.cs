using System.Net;
using System.Text.Json;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Admin;

public sealed class ExplainTests : IDisposable
{
    private const string Shop = """
        { "version": "v1", "listeners": [ { "name": "web", "address": "127.0.0.1:0", "trustedProxies": ["10.0.0.0/8"] } ],
          "routes": [
            { "name": "beta", "match": { "hosts": ["shop.example.com"], "path": { "prefix": "/api" }, "headers": [{ "name": "x-beta", "value": "1" }] }, "pool": "beta" },
            { "name": "shop", "match": { "hosts": ["shop.example.com"], "path": { "prefix": "/api" } }, "pool": "shop", "timeouts": { "attempt": "5s", "request": "0s" } },
            { "name": "old", "match": { "hosts": ["old.example.com"] }, "redirect": { "host": "shop.example.com", "status": 301 } },
            { "name": "down", "match": { "path": { "exact": "/down" } }, "respond": { "status": 503, "body": "back soon" } } ],
          "pools": { "shop": { "endpoints": [{ "address": "10.0.0.1:8080", "weight": 2 }] }, "beta": { "endpoints": [{ "address": "10.0.0.9:8080" }] } } }
        """;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static async Task<JsonElement> ExplainAsync(HttpClient client, string body, HttpStatusCode expected = HttpStatusCode.OK)
    {
        using HttpResponseMessage response = await client.PostAsync("/admin/explain", ControlRig.Json(body));
        JsonElement answer = await ControlRig.JsonAsync(response);
        Assert.True(expected == response.StatusCode, answer.ToString());
        return answer;
    }

    private static string[] Verdicts(JsonElement answer) =>
        [.. answer.GetProperty("candidates").EnumerateArray().Select(static c => $"{c.GetProperty("route").GetString()} {c.GetProperty("verdict").GetString()}")];

    [Fact]
    public async Task AForwardedRequest_ShowsRouteLosersPoolEndpointsLimitsAndTimeouts()
    {
        await using ControlRig rig = new(_folder);
        await rig.StartAsync(Shop);
        using HttpClient client = await rig.AdminClientAsync();
        JsonElement answer = await ExplainAsync(client, """{ "method": "POST", "url": "http://shop.example.com/api/x", "headers": { "x-beta": ["2", "3"] }, "clientIp": "10.1.2.3" }""");
        Assert.Equal(("shop", "web", "/api/x"), (answer.GetProperty("route").GetString(), answer.GetProperty("listener").GetString(), answer.GetProperty("path").GetString()));
        Assert.Equal(["beta header", "shop won", "down path", "old host"], Verdicts(answer));
        JsonElement pool = answer.GetProperty("pool");
        Assert.Equal(("shop", "10.0.0.1:8080", 2), (pool.GetProperty("name").GetString(), pool.GetProperty("endpoints")[0].GetProperty("address").GetString(), pool.GetProperty("endpoints")[0].GetProperty("weight").GetInt32()));
        Assert.Equal(10 << 20, answer.GetProperty("limits").GetProperty("bodyBytes").GetInt64());
        Assert.Equal((10_000, 0, false), (answer.GetProperty("limits").GetProperty("connections").GetInt32(), answer.GetProperty("limits").GetProperty("connectionsPerAddress").GetInt32(), answer.GetProperty("limits").TryGetProperty("requestRatePerAddress", out _)));
        Assert.Equal("5s", answer.GetProperty("timeouts").GetProperty("attempt").GetString());
        Assert.False(answer.GetProperty("timeouts").TryGetProperty("request", out _));
        Assert.True(answer.GetProperty("clientIsTrustedProxy").GetBoolean());
        Assert.False(answer.TryGetProperty("status", out _));
    }

    [Fact]
    public async Task ARequestThatTheGatewayAnswers_ShowsTheAnswer()
    {
        await using ControlRig rig = new(_folder);
        await rig.StartAsync(Shop);
        using HttpClient client = await rig.AdminClientAsync();
        JsonElement redirect = await ExplainAsync(client, """{ "url": "http://old.example.com:8080/a?b=c" }""");
        Assert.Equal(301, redirect.GetProperty("status").GetInt32());
        Assert.Equal("http://shop.example.com:8080/a?b=c", redirect.GetProperty("headers").GetProperty("Location").GetString());
        Assert.Equal("redirect", redirect.GetProperty("filters")[0].GetProperty("name").GetString());
        Assert.False(redirect.TryGetProperty("pool", out _));
        JsonElement nothing = await ExplainAsync(client, """{ "url": "http://nowhere.example/" }""");
        Assert.Equal(("no_route", 404), (nothing.GetProperty("category").GetString(), nothing.GetProperty("status").GetInt32()));
        Assert.False(nothing.TryGetProperty("route", out _));
    }

    [Fact]
    public async Task AStoredVersion_ATime_AndACandidate_AreExplainedInPlaceOfTheLiveOne()
    {
        await using ControlRig rig = new(_folder);
        await rig.StartAsync(Shop);
        string first = rig.Queue.Live!.Version;
        await rig.ApplyAsync(Shop.Replace("\"name\": \"shop\",", "\"name\": \"store\","));
        using HttpClient client = await rig.AdminClientAsync();
        const string Url = "\"url\": \"http://shop.example.com/api\"";
        Assert.Equal("store", (await ExplainAsync(client, $"{{ {Url} }}")).GetProperty("route").GetString());
        JsonElement stored = await ExplainAsync(client, $$"""{ {{Url}}, "at": "{{first[..10]}}" }""");
        Assert.Equal(("shop", first), (stored.GetProperty("route").GetString(), stored.GetProperty("version").GetString()));
        DateTimeOffset applied = rig.Store.History().Single(r => r.Version == first).Time;
        Assert.Equal("shop", (await ExplainAsync(client, $$"""{ {{Url}}, "at": "{{applied:O}}" }""")).GetProperty("route").GetString());
        JsonElement candidate = await ExplainAsync(client, $$"""{ {{Url}}, "config": {{Shop.Replace("\"name\": \"shop\",", "\"name\": \"new\",")}} }""");
        Assert.Equal("new", candidate.GetProperty("route").GetString());
        JsonElement yaml = await ExplainAsync(client, """{ "url": "http://x/", "config": "version: v1\nlisteners: [{name: web, address: '127.0.0.1:0'}]\nroutes: [{name: y, respond: {}}]\n" }""");
        Assert.Equal("y", yaml.GetProperty("route").GetString());
        Assert.Equal("store", (await ExplainAsync(client, $"{{ {Url} }}")).GetProperty("route").GetString());
    }

    [Theory]
    [InlineData("""{ "url": "http://a/", "at": "2001-01-01T00:00:00Z" }""", HttpStatusCode.NotFound, "nothing is stored for '2001-01-01T00:00:00Z'")]
    [InlineData("""{ "url": "http://a/", "at": "ffffffff" }""", HttpStatusCode.NotFound, "nothing is stored for 'ffffffff'")]
    [InlineData("""{ "url": "http://a/", "config": { "version": "v1", "x": 1 } }""", HttpStatusCode.BadRequest, "1 error(s)")]
    [InlineData("""{ "url": "http://a/", "config": {}, "at": "ffffffff" }""", HttpStatusCode.BadRequest, "give one of them")]
    [InlineData("""{ "url": "ftp://a/" }""", HttpStatusCode.BadRequest, "is no URL")]
    [InlineData("""{ "url": "http://a/ä" }""", HttpStatusCode.BadRequest, "percent-encoded")]
    [InlineData("""{ "url": "http://a/", "clientIp": "x" }""", HttpStatusCode.BadRequest, "it is an IP address")]
    [InlineData("""{ "url": "http://a/", "headers": { "a": 1 } }""", HttpStatusCode.BadRequest, "a list of texts")]
    [InlineData("""{ "url": "http://a/", "listener": "x" }""", HttpStatusCode.BadRequest, "no listener 'x'")]
    [InlineData("""{ "method": "GET" }""", HttpStatusCode.BadRequest, "\"url\" is missing")]
    [InlineData("""{ "url": "http://a/", "verb": "GET" }""", HttpStatusCode.BadRequest, "\"verb\" is not known")]
    [InlineData("[", HttpStatusCode.BadRequest, "is not the JSON of")]
    public async Task ABadQuestion_IsToldHowToMendIt(string body, HttpStatusCode status, string detail)
    {
        await using ControlRig rig = new(_folder);
        await rig.StartAsync(Shop);
        using HttpClient client = await rig.AdminClientAsync();
        Assert.Contains(detail, (await ExplainAsync(client, body, status)).GetProperty("detail").GetString());
    }
}
