using System.Net;
using System.Text;
using Gateway.Client;
using Xunit;

namespace Gateway.ControlPlane.Tests.Client;

public sealed class GatewayClientTests
{
    private static readonly byte[] Document = Encoding.UTF8.GetBytes("""{ "version": "v1" }""");

    private static GatewayClient Client(ScriptedHandler handler) =>
        new(new GatewayClientOptions { Server = new Uri("http://127.0.0.1:9901"), Token = "t0ken" }, handler);

    [Fact]
    public async Task Apply_SendsTheBytesWithTokenAndVersion()
    {
        var handler = new ScriptedHandler(HttpStatusCode.OK, """{ "applied": true, "version": "ab", "warnings": [], "durationMs": 1.5, "unknown": {} }""");
        using GatewayClient client = Client(handler);
        ApplyResult result = await client.ApplyAsync(Document, ifMatch: "cd");
        Assert.Equal((true, "ab", 1.5), (result.Applied, result.Version, result.DurationMs));
        Assert.Equal("POST http://127.0.0.1:9901/admin/config", $"{handler.Request.Method} {handler.Request.RequestUri}");
        Assert.Equal("Bearer t0ken", handler.Request.Headers.Authorization!.ToString());
        Assert.Equal("\"cd\"", Assert.Single(handler.Request.Headers.GetValues("If-Match")));
        Assert.Equal("application/json", handler.Request.Content!.Headers.ContentType!.ToString());
        Assert.Equal(Encoding.UTF8.GetString(Document), handler.RequestBody);
    }

    [Fact]
    public async Task Apply_DryRunOfYaml_SaysBoth()
    {
        var handler = new ScriptedHandler(HttpStatusCode.OK, """{ "applied": false, "version": "ab", "warnings": [], "durationMs": 1 }""");
        using GatewayClient client = Client(handler);
        Assert.False((await client.ApplyAsync(Document, DocumentFormat.Yaml, dryRun: true)).Applied);
        Assert.Equal("/admin/config?dryRun=true", handler.Request.RequestUri!.PathAndQuery);
        Assert.Equal("application/yaml", handler.Request.Content!.Headers.ContentType!.ToString());
        Assert.False(handler.Request.Headers.Contains("If-Match"));
    }

    [Fact]
    public async Task RefusedDocument_ThrowsWithStatusAndEveryError()
    {
        using GatewayClient client = Client(new ScriptedHandler(HttpStatusCode.BadRequest, """
            { "type": "urn:gateway:invalid_config", "title": "Invalid", "status": 400, "detail": "2 error(s)", "errors": [
              { "path": "a", "code": "b", "message": "c" }, { "path": "d", "code": "e", "message": "f" } ] }
            """, "application/problem+json"));
        GatewayApiException e = await Assert.ThrowsAsync<GatewayApiException>(() => client.ValidateAsync(Document));
        Assert.Equal((400, "2 error(s)"), (e.Status, e.Message));
        Assert.Equal(["a: b: c", "d: e: f"], e.Errors.Select(x => x.ToString()));
    }

    [Theory]
    [InlineData("<html>Bad Gateway</html>")]
    [InlineData("")]
    [InlineData("null")]
    public async Task ErrorThatIsNoProblem_ThrowsWithItsStatus(string body)
    {
        using GatewayClient client = Client(new ScriptedHandler(HttpStatusCode.BadGateway, body, "text/html"));
        GatewayApiException e = await Assert.ThrowsAsync<GatewayApiException>(() => client.GetPoolsAsync());
        Assert.Equal((502, "HTTP 502 Bad Gateway", 0), (e.Status, e.Message, e.Errors.Count));
    }

    [Theory]
    [InlineData("<html>")]
    [InlineData("null")]
    [InlineData("[]")]
    public async Task AnswerThatIsNotAnAdminApis_IsAnHttpFailure(string body)
    {
        using GatewayClient client = Client(new ScriptedHandler(HttpStatusCode.OK, body));
        HttpRequestException e = await Assert.ThrowsAsync<HttpRequestException>(() => client.GetSnapshotAsync());
        Assert.Contains("did not answer as an admin API does", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Config_HasVersionLanguageAndExactBytes()
    {
        using GatewayClient client = Client(new ScriptedHandler(HttpStatusCode.OK, "version:  v1\n", "application/yaml", "\"ab12\""));
        ConfigDocument document = await client.GetConfigAsync();
        Assert.Equal(("ab12", "application/yaml", "version:  v1\n"), (document.Version, document.ContentType, Encoding.UTF8.GetString(document.Bytes.Span)));
    }

    [Theory]
    [InlineData(null, "{}")]
    [InlineData("ab12", """{"version":"ab12"}""")]
    public async Task Rollback_NamesAVersionOnlyWhenTold(string? version, string body)
    {
        var handler = new ScriptedHandler(HttpStatusCode.OK, """{ "version": "ab12", "previous": "cd34", "durationMs": 0.2 }""");
        using GatewayClient client = Client(handler);
        Assert.Equal("cd34", (await client.RollbackAsync(version)).Previous);
        Assert.Equal(body, string.Concat(handler.RequestBody.Where(c => !char.IsWhiteSpace(c))));
    }

    [Theory]
    [InlineData(HttpStatusCode.OK, true)]
    [InlineData(HttpStatusCode.ServiceUnavailable, false)]
    public async Task Readiness_IsAnAnswerEitherWay(HttpStatusCode status, bool ready)
    {
        using GatewayClient client = Client(new ScriptedHandler(status, $$"""
            { "ready": {{(ready ? "true" : "false")}}, "checks": [ { "name": "shutdown", "ok": {{(ready ? "true" : "false")}}, "detail": "draining" } ] }
            """));
        Readiness readiness = await client.GetReadinessAsync();
        Assert.Equal((ready, "draining"), (readiness.Ready, Assert.Single(readiness.Checks).Detail));
    }

    [Fact]
    public async Task Readiness_OfSomethingElse_Throws()
    {
        using GatewayClient client = Client(new ScriptedHandler(HttpStatusCode.NotFound, ""));
        Assert.Equal(404, (await Assert.ThrowsAsync<GatewayApiException>(() => client.GetReadinessAsync())).Status);
    }

    [Fact]
    public void Dispose_DisposesTheHandler()
    {
        var handler = new ScriptedHandler(HttpStatusCode.OK, "");
        Client(handler).Dispose();
        Assert.True(handler.IsDisposed);
    }
}
