using System.Text.Json;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Ctl;

/// <summary>bin/gatewayctl as a person and a script see it: what it sends, prints and returns.</summary>
public sealed class GatewayCtlTests
{
    private const string Applied =
        $$"""{ "applied": true, "version": "{{FakeAdmin.Version1}}", "warnings": [ { "path": "routes[1]", "code": "shadowed_route", "message": "no request reaches it" } ], "durationMs": 12.34, "new": 1 }""";

    private const string Refused = """
        { "type": "urn:gateway:bad_request", "title": "Bad Request", "status": 400, "detail": "the configuration has 2 errors", "errors": [
          { "path": "routes[0].pool", "code": "unknown_reference", "message": "no pool 'x'; add it under pools" },
          { "path": "", "code": "missing_field", "message": "version is missing; add \"version\": \"v1\"" } ] }
        """;

    private const string Snapshot = $$"""
        { "version": "{{FakeAdmin.Version1}}", "source": "admin", "actor": "token", "compiledAt": "2026-11-20T09:00:00.5+00:00", "appliedAt": "2026-11-20T10:00:01+01:00",
          "listeners": [
            { "name": "web", "address": "0.0.0.0:8080", "boundAddress": "0.0.0.0:8080", "tls": false, "connections": 12 },
            { "name": "websecure", "address": "127.0.0.1:0", "boundAddress": "127.0.0.1:40001", "tls": true, "connections": 3 } ],
          "routes": 5, "pools": 2, "retiredSnapshots": 0, "warnings": [] }
        """;

    private const string History = $$"""
        { "entries": [
          { "sequence": 12, "time": "2026-11-20T09:00:03+00:00", "source": "admin", "actor": "token", "result": "rejected", "durationMs": 0.4, "live": false, "detail": "routes[0].pool: unknown_reference: no pool 'x'" },
          { "sequence": 11, "time": "2026-11-20T09:00:02+00:00", "version": "{{FakeAdmin.Version1}}", "source": "admin", "actor": "token", "result": "applied", "durationMs": 123.45, "live": true },
          { "sequence": 9, "time": "2026-11-20T09:00:00+00:00", "version": "{{FakeAdmin.Version2}}", "source": "file", "actor": "file", "result": "applied", "durationMs": 8, "live": false } ] }
        """;

    private const string Ejected = """
        { "sequence": 2, "time": "2026-11-20T09:00:02+00:00", "endpoint": "10.0.0.2:8080", "from": "healthy", "to": "ejected", "cause": "no_answer", "detail": "3 attempts in a row without an answer", "until": "2026-11-20T09:00:12+00:00" }
        """;

    private const string Pools = $$"""
        { "pools": [
          { "name": "empty", "protocol": "http1", "loadBalancing": "leastRequests", "panic": false, "endpoints": [], "ledger": [] },
          { "name": "shop", "protocol": "https", "loadBalancing": "roundRobin", "panic": true, "endpoints": [
            { "address": "10.0.0.1:8080", "weight": 1, "healthy": true, "inFlight": 3, "attempts": 120034, "failures": 2, "connections": 8, "used": true, "state": "healthy", "errors": 41, "zone": "eu-west-1a", "priority": 0, "rampPercent": 43 },
            { "address": "10.0.0.2:8080", "weight": 10, "healthy": false, "inFlight": 0, "attempts": 7, "failures": 7, "connections": 0, "used": false, "reason": "ejected", "state": "ejected", "errors": 0, "lastChange": {{Ejected}}, "priority": 0, "rampPercent": 100 },
            { "address": "10.0.1.1:8080", "weight": 1, "healthy": true, "inFlight": 0, "attempts": 0, "failures": 0, "connections": 0, "used": false, "reason": "standby", "state": "healthy", "errors": 0, "priority": 2, "rampPercent": 100 } ],
            "ledger": [
              { "sequence": 3, "time": "2026-11-20T09:00:03+00:00", "from": "normal", "to": "panic", "cause": "panic", "detail": "0 of 2 endpoints are well" },
              {{Ejected}} ] } ] }
        """;

    private const string Routes = $$"""
        { "version": "{{FakeAdmin.Version1}}", "total": 2, "routes": [
          { "name": "shop", "listeners": ["web", "websecure"], "hosts": ["shop.example.com", "*.shop.example.com"], "path": "prefix /api", "methods": ["GET", "POST"], "conditions": ["header x-beta = 1"], "action": "pool shop",
            "breaker": { "state": "open", "since": "2026-11-20T09:00:02+00:00", "requests": 24, "failures": 15, "opened": 2, "nextProbe": "2026-11-20T09:00:06+00:00", "probesOut": 0, "probesGood": 0, "ledger": [
              { "sequence": 3, "time": "2026-11-20T09:00:02+00:00", "from": "half_open", "to": "open", "cause": "probe_failed", "detail": "a probe failed", "until": "2026-11-20T09:00:06+00:00" },
              { "sequence": 2, "time": "2026-11-20T09:00:02+00:00", "from": "open", "to": "half_open", "cause": "elapsed", "detail": "its time is over" } ] },
            "retryBudget": { "requests": 500, "used": 12, "left": 88, "refused": 3 },
            "concurrency": { "limit": 20, "max": 512, "inFlight": 20, "queued": 4, "maxQueue": 128 } },
          { "name": "rest", "listeners": ["web"], "hosts": [], "methods": [], "conditions": [], "action": "redirect 301", "shadowedBy": "every request goes to route 'shop'" } ] }
        """;

    private const string Audit = $$"""
        { "entries": [
          { "time": "2026-11-20T09:00:02+00:00", "action": "apply", "actor": "token", "from": "127.0.0.1:50000", "version": "{{FakeAdmin.Version1}}", "result": "ok" },
          { "time": "2026-11-20T09:00:01+00:00", "action": "login", "actor": "anonymous", "from": "10.1.2.3:50001", "result": "unauthorized", "detail": "wrong token" } ] }
        """;

    [Theory]
    [InlineData("snapshot", "/admin/snapshot", Snapshot)]
    [InlineData("history", "/admin/history", History)]
    [InlineData("pools", "/admin/pools", Pools)]
    [InlineData("routes", "/admin/routes", Routes)]
    [InlineData("audit", "/admin/audit", Audit)]
    public async Task View_PrintsATableWithoutColoursIntoAPipe(string command, string path, string answer)
    {
        await using FakeAdmin admin = await FakeAdmin.StartAsync();
        admin.Answer(path, answer);
        CommandResult result = await admin.CtlAsync(command);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Golden.Check($"ctl/{command}.txt", result.Out);
        Assert.Equal("Bearer s3cret", admin.LastRequest["authorization"]);
    }

    [Theory]
    [InlineData("snapshot", "/admin/snapshot", Snapshot)]
    [InlineData("history", "/admin/history", History)]
    [InlineData("pools", "/admin/pools", Pools)]
    [InlineData("routes", "/admin/routes", Routes)]
    [InlineData("audit", "/admin/audit", Audit)]
    public async Task View_PrintsTheAnswerAsOneJsonValue(string command, string path, string answer)
    {
        await using FakeAdmin admin = await FakeAdmin.StartAsync();
        admin.Answer(path, answer);
        CommandResult result = await admin.CtlAsync(command, "--json");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        using JsonDocument printed = JsonDocument.Parse(result.Out), expected = JsonDocument.Parse(answer);
        Assert.True(JsonElement.DeepEquals(expected.RootElement, printed.RootElement), result.Out);
    }

    [Fact]
    public async Task Pools_ShowsALedger()
    {
        await using FakeAdmin admin = await FakeAdmin.StartAsync();
        admin.Answer("/admin/pools", Pools);
        CommandResult result = await admin.CtlAsync("pools", "shop", "--ledger");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Golden.Check("ctl/pools-ledger.txt", result.Out);
        Assert.Equal("/admin/pools?pool=shop&ledger=1000", admin.LastRequest.Target);
    }

    [Fact]
    public async Task Routes_ShowsTheLedgerOfTheBreakers()
    {
        await using FakeAdmin admin = await FakeAdmin.StartAsync();
        admin.Answer("/admin/routes", Routes);
        CommandResult result = await admin.CtlAsync("routes", "--ledger");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Golden.Check("ctl/routes-ledger.txt", result.Out);
        Assert.Equal("/admin/routes?offset=0&limit=5000&ledger=1000", admin.LastRequest.Target);
    }

    [Fact]
    public async Task Apply_SendsTheFileAndPrintsTheVersion()
    {
        await using FakeAdmin admin = await FakeAdmin.StartAsync();
        admin.Answer("/admin/config", Applied);
        string file = admin.Folder.Write("new.json", """{ "version": "v1" }""");
        CommandResult result = await admin.CtlAsync("apply", file, "--if-match", FakeAdmin.Version2);
        Assert.Equal(0, result.ExitCode);
        Assert.Equal($"applied {FakeAdmin.Version1} in 12.3 ms\n", result.Out);
        Assert.Equal("warning: routes[1]: shadowed_route: no request reaches it\n", result.Error);
        Assert.Equal("""{ "version": "v1" }""", admin.LastBody);
        Assert.Equal("application/json", admin.LastRequest["content-type"]);
        Assert.Equal($"\"{FakeAdmin.Version2}\"", admin.LastRequest["if-match"]);
        Assert.Equal("/admin/config", admin.LastRequest.Target);
    }

    [Fact]
    public async Task Apply_ReadsStdinForADash_AndMarksYaml()
    {
        await using FakeAdmin admin = await FakeAdmin.StartAsync();
        admin.Answer("/admin/config", Applied.Replace("true", "false"));
        CommandResult result = await admin.CtlAsync(["apply", "-", "--yaml", "--dry-run"], "version: v1\n");
        Assert.Equal($"would apply {FakeAdmin.Version1} in 12.3 ms\n", result.Out);
        Assert.Equal("version: v1\n", admin.LastBody);
        Assert.Equal("application/yaml", admin.LastRequest["content-type"]);
        Assert.Equal("/admin/config?dryRun=true", admin.LastRequest.Target);
    }

    [Fact]
    public async Task Apply_KnowsYamlByItsExtension()
    {
        await using FakeAdmin admin = await FakeAdmin.StartAsync();
        admin.Answer("/admin/config", Applied);
        _ = await admin.CtlAsync("apply", admin.Folder.Write("new.yaml", "version: v1"));
        Assert.Equal("application/yaml", admin.LastRequest["content-type"]);
    }

    [Theory]
    [InlineData("apply", "/admin/config")]
    [InlineData("validate", "/admin/validate")]
    public async Task RefusedDocument_Exits1WithEachErrorOnALine(string command, string path)
    {
        await using FakeAdmin admin = await FakeAdmin.StartAsync();
        admin.Answer(path, Refused, status: 400);
        CommandResult result = await admin.CtlAsync(command, admin.Folder.Write("bad.json", "{}"));
        Assert.Equal((1, ""), (result.ExitCode, result.Out));
        Assert.Equal(
            "routes[0].pool: unknown_reference: no pool 'x'; add it under pools\n"
            + "(document): missing_field: version is missing; add \"version\": \"v1\"\n", result.Error);
    }

    [Fact]
    public async Task RefusedDocument_WithJson_PrintsTheErrorsAsJson()
    {
        await using FakeAdmin admin = await FakeAdmin.StartAsync();
        admin.Answer("/admin/config", Refused, status: 400);
        CommandResult result = await admin.CtlAsync("apply", admin.Folder.Write("bad.json", "{}"), "--json");
        Assert.Equal(1, result.ExitCode);
        using JsonDocument printed = JsonDocument.Parse(result.Out);
        Assert.Equal(400, printed.RootElement.GetProperty("status").GetInt32());
        Assert.Equal("unknown_reference", printed.RootElement.GetProperty("errors")[0].GetProperty("code").GetString());
    }

    [Fact]
    public async Task Config_PrintsTheExactBytes()
    {
        await using FakeAdmin admin = await FakeAdmin.StartAsync();
        admin.Answer("/admin/config", "{ \"version\" :\t\"v1\" }");
        CommandResult result = await admin.CtlAsync("config");
        Assert.Equal((0, "{ \"version\" :\t\"v1\" }"), (result.ExitCode, result.Out));
    }

    [Theory]
    [InlineData(new[] { "rollback" }, "{}")]
    [InlineData(new[] { "rollback", FakeAdmin.Version2 }, $"{{\"version\":\"{FakeAdmin.Version2}\"}}")]
    [InlineData(new[] { "rollback", "2222" }, $"{{\"version\":\"{FakeAdmin.Version2}\"}}")]
    public async Task Rollback_NamesTheVersionInFull(string[] arguments, string body)
    {
        await using FakeAdmin admin = await FakeAdmin.StartAsync();
        admin.Answer("/admin/rollback", $$"""{ "version": "{{FakeAdmin.Version2}}", "previous": "{{FakeAdmin.Version1}}", "durationMs": 0.5 }""");
        admin.Answer("/admin/history", History);
        CommandResult result = await admin.CtlAsync(arguments);
        Assert.Equal((0, $"rolled back to {FakeAdmin.Version2} from 111111111111 in 0.5 ms\n"), (result.ExitCode, result.Out));
        using JsonDocument sent = JsonDocument.Parse(admin.LastBody), expected = JsonDocument.Parse(body);
        Assert.True(JsonElement.DeepEquals(expected.RootElement, sent.RootElement), admin.LastBody);
    }

    [Theory]
    [InlineData("abcd", "gatewayctl: no version in the history begins with 'abcd': look at 'gatewayctl history'\n")]
    [InlineData("22", "gatewayctl: '22' is too short for a version: give at least 4 characters of it\n")]
    public async Task Rollback_ToAnUnclearVersion_SaysSo(string version, string message)
    {
        await using FakeAdmin admin = await FakeAdmin.StartAsync();
        admin.Answer("/admin/history", History);
        CommandResult result = await admin.CtlAsync("rollback", version);
        Assert.Equal((1, message), (result.ExitCode, result.Error));
    }

    [Theory]
    [InlineData(401, 1, "wrong token. The token was read from ")]
    [InlineData(412, 1, "wrong token. Someone else changed the configuration")]
    [InlineData(429, 1, "wrong token")]
    [InlineData(500, 70, "wrong token")]
    public async Task Refusal_ExitsByItsKind(int status, int exitCode, string message)
    {
        await using FakeAdmin admin = await FakeAdmin.StartAsync();
        admin.Answer("/admin/snapshot", """{ "status": 0, "detail": "wrong token" }""", status);
        CommandResult result = await admin.CtlAsync("snapshot");
        Assert.Equal(exitCode, result.ExitCode);
        Assert.StartsWith("gatewayctl: " + message, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnotherServer_IsNotTakenForAGateway()
    {
        await using FakeAdmin admin = await FakeAdmin.StartAsync();
        admin.Answer("/admin/snapshot", "<html>");
        CommandResult result = await admin.CtlAsync("snapshot");
        Assert.Equal(70, result.ExitCode);
        Assert.Contains("did not answer as an admin API does", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task UnreachableGateway_Exits70AndSaysWhatToDo()
    {
        await using FakeAdmin admin = await FakeAdmin.StartAsync();
        CommandResult result = await admin.CtlAsync("snapshot", "--server", "http://127.0.0.1:1");
        Assert.Equal(70, result.ExitCode);
        Assert.Equal(
            "gatewayctl: cannot reach http://127.0.0.1:1: Connection refused. Is the gateway running, with its admin API there? "
            + "Name another with --server or GATEWAY_SERVER.\n", result.Error);
    }

    [Fact]
    public async Task MissingTokenFile_SaysWhereItIsCreated()
    {
        await using FakeAdmin admin = await FakeAdmin.StartAsync();
        CommandResult result = await admin.CtlAsync("snapshot", "--token-file", "nowhere/admin.token");
        Assert.Equal(1, result.ExitCode);
        Assert.StartsWith("gatewayctl: no token file at nowhere/admin.token. The gateway creates admin.token in its --data-dir", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData]
    [InlineData("aply")]
    [InlineData("apply")]
    [InlineData("history", "--limit", "many")]
    [InlineData("snapshot", "--sever", "x")]
    public async Task BadUsage_Exits2AndPointsToHelp(params string[] arguments)
    {
        await using FakeAdmin admin = await FakeAdmin.StartAsync();
        CommandResult result = await admin.CtlAsync(arguments);
        Assert.Equal((2, ""), (result.ExitCode, result.Out));
        Assert.Contains("--help'.", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "\u001b[31mejected\u001b[0m")]
    [InlineData("NO_COLOR=1", "10.0.0.2:8080  ejected  ")]
    public async Task Terminal_GetsColoursUnlessNotWanted_AndTheColumnsThatFit(string setting, string expected)
    {
        string? script = Command.Find("script");
        Assert.SkipWhen(script is null, "script (util-linux) makes the terminal, and is not installed");
        await using FakeAdmin admin = await FakeAdmin.StartAsync();
        admin.Answer("/admin/pools", Pools);
        string token = admin.Folder.Write("token", "s3cret");
        string inside = $"stty cols 80; unset NO_COLOR; TERM=xterm {setting} {GatewayProcess.CtlExecutable} pools --server {admin.Url} --token-file {token}";
        CommandResult result = await Command.RunAsync(script!, ["-qec", inside, "/dev/null"]);
        Assert.Contains(expected, result.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("PROTOCOL", result.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("WEIGHT", result.Out, StringComparison.Ordinal);
        Assert.Contains("CONNECTIONS", result.Out, StringComparison.Ordinal);
        Assert.Contains("120034", result.Out, StringComparison.Ordinal);
    }
}
