using System.Globalization;
using System.Net;
using System.Text.Json;
using Gateway.ControlPlane.Store;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Admin;

/// <summary>Diff, configuration, rollback and history at another time than now.</summary>
public sealed class AtTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private ControlRig _rig = null!;
    private HttpClient _client = null!;
    private HistoryRecord[] _records = null!;

    public async ValueTask InitializeAsync()
    {
        _rig = new ControlRig(_folder);
        _ = await _rig.StartAsync(ControlRig.Respond("v0"));
        _ = await _rig.ApplyAsync(ControlRig.Respond("v1"));
        _ = await _rig.ApplyAsync("{ broken");
        _ = await _rig.ApplyAsync(ControlRig.Respond("v2"));
        _records = _rig.Store.History();
        _client = await _rig.AdminClientAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _rig.DisposeAsync();
        _folder.Dispose();
    }

    private static string Text(DateTimeOffset time) => Uri.EscapeDataString(time.ToString("O", CultureInfo.InvariantCulture));

    private async Task<JsonElement> SendAsync(HttpMethod method, string path, string? body = null, HttpStatusCode expected = HttpStatusCode.OK)
    {
        using HttpRequestMessage request = new(method, path) { Content = body is null ? null : ControlRig.Json(body) };
        using HttpResponseMessage response = await _client.SendAsync(request);
        JsonElement answer = await ControlRig.JsonAsync(response);
        Assert.True(expected == response.StatusCode, answer.ToString());
        return answer;
    }

    private static string BodyOf(JsonElement config) => config.GetProperty("routes")[0].GetProperty("respond").GetProperty("body").GetString()!;

    [Fact]
    public async Task ADocument_IsComparedWithWhatWasLiveThen()
    {
        foreach (string at in (string[])[_records[1].Version!, _records[1].Version![..10], Text(_records[1].Time), Text(_records[2].Time)])
        {
            JsonElement same = await SendAsync(HttpMethod.Post, $"/admin/diff?at={at}", ControlRig.Respond("v1"));
            Assert.Equal((_records[1].Version, true), (same.GetProperty("liveVersion").GetString(), same.GetProperty("behaviour").GetProperty("equivalent").GetBoolean()));
        }
        JsonElement other = await SendAsync(HttpMethod.Post, $"/admin/diff?at={_records[0].Version}", ControlRig.Respond("v1"));
        Assert.Equal("\"v0\"", other.GetProperty("changes")[0].GetProperty("fields")[0].GetProperty("before").GetString());
        _ = await SendAsync(HttpMethod.Post, $"/admin/diff?at={new string('a', 64)}", ControlRig.Respond("v1"), HttpStatusCode.NotFound);
        _ = await SendAsync(HttpMethod.Post, $"/admin/diff?at={Text(_records[0].Time.AddDays(-1))}", ControlRig.Respond("v1"), HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task TwoStoredVersions_AreComparedWithEachOther_AndOneWithTheLive()
    {
        JsonElement two = await SendAsync(HttpMethod.Post, $"/admin/diff?at={_records[0].Version}&with={_records[1].Version}");
        Assert.Equal((_records[0].Version, _records[1].Version), (two.GetProperty("liveVersion").GetString(), two.GetProperty("version").GetString()));
        Assert.False(two.GetProperty("behaviour").GetProperty("equivalent").GetBoolean());
        JsonElement live = await SendAsync(HttpMethod.Post, $"/admin/diff?with={_records[3].Version}");
        Assert.True(live.GetProperty("behaviour").GetProperty("equivalent").GetBoolean());
    }

    [Fact]
    public async Task Replay_DecidesTheRecordedRequestsByWhatWasLiveThen()
    {
        const string Keep = """, "replay": { "keep": 100, "every": 1 } """;
        _ = await _rig.ApplyAsync(ControlRig.Respond("old", Keep));
        string before = _rig.Queue.Live!.Version;
        _ = await _rig.ApplyAsync(ControlRig.Respond("old", Keep).Replace("\"body\"", "\"status\": 404, \"body\"", StringComparison.Ordinal));
        using HttpClient visitor = new(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri($"http://{_rig.Host.Listeners()[0].BoundAddress}") };
        _ = await visitor.GetAsync(new Uri("/x", UriKind.Relative));
        int Changed(JsonElement answer) => answer.GetProperty("replay").GetProperty("changed").GetInt32();
        await Eventually.Until("the request is recorded", async () => (await SendAsync(HttpMethod.Post, $"/admin/diff?with={before}")).GetProperty("replay").GetProperty("requests").GetInt32() == 1);
        Assert.Equal(1, Changed(await SendAsync(HttpMethod.Post, $"/admin/diff?with={before}")));
        Assert.Equal(0, Changed(await SendAsync(HttpMethod.Post, $"/admin/diff?at={before}&with={before}")));
    }

    [Fact]
    public async Task TheDocument_OfAVersionOrATime_IsShown()
    {
        Assert.Equal("v2", BodyOf(await SendAsync(HttpMethod.Get, "/admin/config")));
        Assert.Equal("v1", BodyOf(await SendAsync(HttpMethod.Get, $"/admin/config?at={Text(_records[1].Time)}")));
        Assert.Equal("v0", BodyOf(await SendAsync(HttpMethod.Get, $"/admin/config?at={_records[0].Version}")));
        _ = await SendAsync(HttpMethod.Get, "/admin/config?at=1999-01-01", null, HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task ARollbackToATime_GoesToWhatWasLiveThen()
    {
        _ = await SendAsync(HttpMethod.Post, "/admin/rollback", $$"""{ "at": "{{_records[1].Time:O}}" }""");
        Assert.Equal("v1", _rig.Serves);
        _ = await SendAsync(HttpMethod.Post, "/admin/rollback", """{ "at": "1999-01-01" }""", HttpStatusCode.NotFound);
        _ = await SendAsync(HttpMethod.Post, "/admin/rollback", """{ "at": "soon" }""", HttpStatusCode.BadRequest);
        _ = await SendAsync(HttpMethod.Post, "/admin/rollback", $$"""{ "at": "{{_records[1].Time:O}}", "version": "x" }""", HttpStatusCode.BadRequest);
        Assert.Equal("v1", _rig.Serves);
    }

    [Theory]
    [InlineData("", 4)]
    [InlineData("limit=2", 2)]
    [InlineData("result=rejected", 1)]
    [InlineData("result=applied", 3)]
    [InlineData("source=file", 1)]
    [InlineData("source=admin&result=applied", 2)]
    [InlineData("until=1999-01-01", 0)]
    [InlineData("since=1999-01-01", 4)]
    public async Task TheHistory_ShowsWhatMeetsEveryCondition(string query, int expected) =>
        Assert.Equal(expected, (await SendAsync(HttpMethod.Get, $"/admin/history?{query}")).GetProperty("entries").GetArrayLength());

    [Fact]
    public async Task TheHistory_ByVersionAndTime_AndWhatIsWrongWithAConditionIsSaid()
    {
        Assert.Equal(2, (await SendAsync(HttpMethod.Get, $"/admin/history?version={_records[1].Version![..8]}")).GetProperty("entries")[0].GetProperty("sequence").GetInt64());
        Assert.Equal(_records.Count(r => r.Time >= _records[3].Time), (await SendAsync(HttpMethod.Get, $"/admin/history?since={Text(_records[3].Time)}")).GetProperty("entries").GetArrayLength());
        foreach (string bad in (string[])["result=odd", "since=soon", "sauce=file"])
            Assert.Matches("there are|it is", (await SendAsync(HttpMethod.Get, $"/admin/history?{bad}", null, HttpStatusCode.BadRequest)).GetProperty("detail").GetString());
    }
}
