using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Gateway.ControlPlane.Admin;
using Gateway.ControlPlane.Apply;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Admin;

public sealed class AdminApiTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private ControlRig _rig = null!;
    private HttpClient _client = null!;

    public async ValueTask InitializeAsync()
    {
        _rig = new ControlRig(_folder);
        Assert.True((await _rig.StartAsync(ControlRig.Respond("file"))).Started);
        _client = await _rig.AdminClientAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _rig.DisposeAsync();
        _folder.Dispose();
    }

    private async Task<(HttpStatusCode Status, JsonElement Json, HttpResponseMessage Response)> SendAsync(HttpMethod method, string path, HttpContent? content = null, Action<HttpRequestMessage>? more = null)
    {
        using HttpRequestMessage request = new(method, path) { Content = content };
        more?.Invoke(request);
        HttpResponseMessage response = await _client.SendAsync(request);
        string text = await response.Content.ReadAsStringAsync();
        return (response.StatusCode, text.StartsWith('{') ? JsonDocument.Parse(text).RootElement : default, response);
    }

    private Task<(HttpStatusCode Status, JsonElement Json, HttpResponseMessage Response)> ApplyAsync(string text, Action<HttpRequestMessage>? more = null, string query = "") =>
        SendAsync(HttpMethod.Post, "/admin/config" + query, ControlRig.Json(text), more);

    [Fact]
    public async Task AnApply_AnswersWithTheVersion_AndItsETagIsTheIfMatchOfTheNext()
    {
        var one = await ApplyAsync(ControlRig.Respond("one"));
        Assert.Equal(HttpStatusCode.OK, one.Status);
        Assert.True(one.Json.GetProperty("applied").GetBoolean());
        Assert.True(one.Json.GetProperty("durationMs").GetDouble() > 0);
        Assert.Empty(one.Json.GetProperty("warnings").EnumerateArray());
        string version = one.Json.GetProperty("version").GetString()!;
        Assert.Equal($"\"{version}\"", one.Response.Headers.ETag!.Tag);
        Assert.Equal("one", _rig.Serves);

        // With quotes as HTTP has it, bare as people type it, in a list, weak, and any.
        foreach (string form in (string[])["\"{0}\"", "{0}", "\"x\", \"{0}\"", "W/\"{0}\"", "*"])
        {
            string field = form.Replace("{0}", _rig.Queue.Live!.Version, StringComparison.Ordinal);
            var answer = await ApplyAsync(ControlRig.Respond("v" + form.Length), r => r.Headers.TryAddWithoutValidation("If-Match", field));
            Assert.True(answer.Status == HttpStatusCode.OK, $"{field}: {answer.Status}");
        }
        var stale = await ApplyAsync(ControlRig.Respond("last"), r => r.Headers.TryAddWithoutValidation("If-Match", $"\"{version}\""));
        Assert.Equal(HttpStatusCode.PreconditionFailed, stale.Status);
        Assert.Equal($"\"{_rig.Queue.Live!.Version}\"", stale.Response.Headers.ETag!.Tag);
        Assert.Equal("application/problem+json", stale.Response.Content.Headers.ContentType!.MediaType);
    }

    [Fact]
    public async Task ADocumentWithASecretInIt_IsShownWithoutIt()
    {
        const string Password = "hunter2";
        string document = $$$"""{ "version": "v1", "certificates": { "site": { "certFile": "a.pem", "keyFile": "a.key", "keyPassword": "{{{Password}}}" } } }""";
        Assert.Equal(HttpStatusCode.OK, (await ApplyAsync(document)).Status);

        string shown = await (await SendAsync(HttpMethod.Get, "/admin/config")).Response.Content.ReadAsStringAsync();
        Assert.DoesNotContain(Password, shown, StringComparison.Ordinal);
        Assert.Contains("\"keyPassword\":\"***\"", shown, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABadDocument_IsAnsweredWithAllErrorsAtOnce()
    {
        foreach (string path in (string[])["/admin/config", "/admin/config?dryRun=true", "/admin/validate"])
        {
            var answer = await SendAsync(HttpMethod.Post, path, ControlRig.Json("""{ "version": "v1", "one": 1, "two": 2 }"""));
            Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
            Assert.Equal("urn:gateway:invalid_config", answer.Json.GetProperty("type").GetString());
            Assert.Equal(["one", "two"], answer.Json.GetProperty("errors").EnumerateArray().Select(e => e.GetProperty("path").GetString()!).Order());
        }
        Assert.Equal("file", _rig.Serves);
    }

    [Fact]
    public async Task DryRunAndValidate_PublishNothing()
    {
        var dry = await ApplyAsync(ControlRig.Respond("one"), query: "?dryRun=true");
        Assert.Equal((HttpStatusCode.OK, false), (dry.Status, dry.Json.GetProperty("applied").GetBoolean()));
        var valid = await SendAsync(HttpMethod.Post, "/admin/validate", ControlRig.Json(ControlRig.Respond("one")));
        Assert.True(valid.Json.GetProperty("ok").GetBoolean());
        Assert.Equal(dry.Json.GetProperty("version").GetString(), valid.Json.GetProperty("version").GetString());
        Assert.Equal("file", _rig.Serves);
        Assert.Equal(HttpStatusCode.BadRequest, (await ApplyAsync(ControlRig.Respond("one"), query: "?dryRun=maybe")).Status);
    }

    [Fact]
    public async Task TheDocument_ComesBackByteForByte_InItsLanguage_AlsoAnOldOne()
    {
        string yaml = "version: v1 # a comment\nroutes:\n- name: r\n  respond: { body: yaml }\n";
        var applied = await SendAsync(HttpMethod.Post, "/admin/config", new StringContent(yaml, Encoding.UTF8, "application/yaml"));
        Assert.Equal(HttpStatusCode.OK, applied.Status);
        string version = applied.Json.GetProperty("version").GetString()!;
        _ = await ApplyAsync(ControlRig.Respond("json"));
        HttpResponseMessage old = await _client.GetAsync($"/admin/config?version={version}");
        Assert.Equal(yaml, await old.Content.ReadAsStringAsync());
        Assert.Equal("application/yaml", old.Content.Headers.ContentType!.MediaType);
        Assert.Equal($"\"{version}\"", old.Headers.ETag!.Tag);
        HttpResponseMessage live = await _client.GetAsync("/admin/config");
        Assert.Equal(ControlRig.Respond("json"), await live.Content.ReadAsStringAsync());
        Assert.Equal("application/json", live.Content.Headers.ContentType!.MediaType);
        Assert.Equal(HttpStatusCode.NotFound, (await _client.GetAsync("/admin/config?version=..%2f..%2fadmin.token")).StatusCode);
    }

    [Fact]
    public async Task Rollback_TakesAnEmptyBodyOrAVersion_AndNothingElse()
    {
        string first = _rig.Queue.Live!.Version;
        _ = await ApplyAsync(ControlRig.Respond("one"));
        var back = await SendAsync(HttpMethod.Post, "/admin/rollback");
        Assert.Equal((HttpStatusCode.OK, first), (back.Status, back.Json.GetProperty("version").GetString()));
        Assert.Equal("file", _rig.Serves);
        foreach (string bad in (string[])["[]", "{", "{\"version\": 1}", "{\"versions\": \"x\"}", "\"x\"", new string(' ', 5000)])
            Assert.Equal(HttpStatusCode.BadRequest, (await SendAsync(HttpMethod.Post, "/admin/rollback", ControlRig.Json(bad))).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync(HttpMethod.Post, "/admin/rollback", ControlRig.Json("{\"version\": \"0123456789\"}"))).Status);
    }

    [Fact]
    public async Task TheViews_ShowWhatIsLive_AndHowItCameToBe()
    {
        _ = await ApplyAsync(ControlRig.Respond("one"));
        _ = await ApplyAsync("{}");
        JsonElement snapshot = (await SendAsync(HttpMethod.Get, "/admin/snapshot")).Json;
        Assert.Equal(_rig.Queue.Live!.Version, snapshot.GetProperty("version").GetString());
        Assert.Equal("web", snapshot.GetProperty("listeners")[0].GetProperty("name").GetString());
        JsonElement[] history = [.. (await SendAsync(HttpMethod.Get, "/admin/history")).Json.GetProperty("entries").EnumerateArray()];
        Assert.Equal(["rejected", "applied", "applied"], history.Select(e => e.GetProperty("result").GetString()));
        Assert.Equal([false, true, false], history.Select(e => e.GetProperty("live").GetBoolean()));
        JsonElement[] audit = [.. (await SendAsync(HttpMethod.Get, "/admin/audit?limit=2")).Json.GetProperty("entries").EnumerateArray()];
        Assert.Equal(["rejected", "applied"], audit.Select(e => e.GetProperty("result").GetString()));
        Assert.StartsWith("127.0.0.1:", audit[0].GetProperty("from").GetString(), StringComparison.Ordinal);
        Assert.Equal("respond 200", (await SendAsync(HttpMethod.Get, "/admin/routes")).Json.GetProperty("routes")[0].GetProperty("action").GetString());
        Assert.Empty((await SendAsync(HttpMethod.Get, "/admin/pools")).Json.GetProperty("pools").EnumerateArray());
        Assert.Equal(HttpStatusCode.BadRequest, (await SendAsync(HttpMethod.Get, "/admin/history?limit=-1")).Status);
    }

    [Fact]
    public async Task UnknownPathsAndMethods_AreToldWhatThereIs()
    {
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync(HttpMethod.Get, "/admin/nothing")).Status);
        var wrong = await SendAsync(HttpMethod.Put, "/admin/config");
        Assert.Equal(HttpStatusCode.MethodNotAllowed, wrong.Status);
        Assert.Equal(["DELETE", "GET", "HEAD", "POST"], wrong.Response.Content.Headers.Allow.Order());
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await SendAsync(HttpMethod.Post, "/livez")).Status);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(HttpMethod.Head, "/admin/config")).Status);
    }

    [Theory]
    [InlineData("text/html")]
    [InlineData("multipart/form-data")]
    public async Task AMediaTypeThatIsNoConfiguration_Is415(string type)
    {
        var answer = await SendAsync(HttpMethod.Post, "/admin/config", new StringContent(ControlRig.Respond("x"), Encoding.UTF8, type));
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, answer.Status);
    }

    [Fact]
    public async Task ACompressedBody_Is415_AndNotASyntaxError()
    {
        StringContent content = ControlRig.Json(ControlRig.Respond("x"));
        content.Headers.ContentEncoding.Add("gzip");
        var answer = await SendAsync(HttpMethod.Post, "/admin/config", content);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, answer.Status);
        Assert.Equal("identity", answer.Response.Headers.GetValues("Accept-Encoding").Single());
    }

    [Fact]
    public async Task ABodyAtTheLimit_IsRead_AndOneByteMore_Is413_WithALengthAndWithout()
    {
        byte[] most = new byte[ConfigDocument.MaxBytes];
        Array.Fill(most, (byte)' ');
        foreach (bool chunked in (bool[])[false, true])
        {
            Assert.Equal(HttpStatusCode.BadRequest, (await PostBytesAsync(most, chunked)).StatusCode);
            Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await PostBytesAsync([.. most, (byte)' '], chunked)).StatusCode);
        }
    }

    private async Task<HttpResponseMessage> PostBytesAsync(byte[] bytes, bool chunked)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, "/admin/validate") { Content = new ByteArrayContent(bytes) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.TransferEncodingChunked = chunked;
        request.Headers.ExpectContinue = true;
        return await _client.SendAsync(request);
    }

    [Fact]
    public async Task Readiness_IsLostWithTheDrain_AndLivenessIsNot()
    {
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(HttpMethod.Get, "/readyz")).Status);
        _rig.Readiness.BeginDrain();
        var ready = await SendAsync(HttpMethod.Get, "/readyz?verbose");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.Status);
        Assert.Equal("draining", ready.Json.GetProperty("checks").EnumerateArray().Single(c => c.GetProperty("name").GetString() == "shutdown").GetProperty("detail").GetString());
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(HttpMethod.Get, "/livez")).Status);
        await _rig.Queue.DisposeAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await ApplyAsync(ControlRig.Respond("late"))).Status);
    }

    [Fact]
    public async Task TheMetricsListener_ServesMetricsAndProbesAlone_AndFollowsTheConfiguration()
    {
        int port = FreePort();
        Assert.Equal(HttpStatusCode.OK, (await ApplyAsync(ControlRig.Respond("one", $$""", "metrics": { "listener": "127.0.0.1:{{port}}" }"""))).Status);
        using HttpClient plain = new(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        Assert.Contains("gateway_config_applies_total{source=\"admin\",result=\"applied\"} 1\n", await plain.GetStringAsync("/metrics"), StringComparison.Ordinal);
        Assert.Equal("ok\n", await plain.GetStringAsync("/readyz"));
        Assert.Equal("ok\n", await plain.GetStringAsync("/livez"));
        Assert.Equal(HttpStatusCode.NotFound, (await plain.GetAsync("/admin/snapshot")).StatusCode);
        _ = await ApplyAsync(ControlRig.Respond("two"));
        plain.CancelPendingRequests();
        using HttpClient fresh = new(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = plain.BaseAddress };
        _ = await Assert.ThrowsAsync<HttpRequestException>(() => fresh.GetStringAsync("/metrics"));
    }

    private static int FreePort()
    {
        using System.Net.Sockets.TcpListener probe = new(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}
