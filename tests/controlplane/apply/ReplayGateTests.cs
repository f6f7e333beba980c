using System.Text.Json;
using Gateway.ControlPlane.Apply;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Apply;

/// <summary>A candidate is held against the requests that were really served.</summary>
public sealed class ReplayGateTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static string Document(string b, string budget = "\"maxChangedPercent\": 30, \"minRequests\": 10") => $$"""
        { "version": "v1", "listeners": [ { "name": "web", "address": "127.0.0.1:0" } ],
          "replay": { "keep": 100, "every": 1 }, "rollout": { "default": { "replay": { {{budget}} } } },
          "routes": [
            { "name": "a", "match": { "path": { "prefix": "/a" } }, "respond": { "body": "a" } },
            { "name": "b", "match": { "path": { "prefix": "{{b}}" } }, "respond": { "status": 201 } },
            { "name": "beta", "match": { "path": { "prefix": "/b" }, "headers": [{ "name": "x-beta", "value": "1" }] }, "respond": { "status": 202 } } ] }
        """;

    private static async Task ServeAsync(ControlRig rig, params (string Path, int Count)[] requests)
    {
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri($"http://{rig.Host.Listeners()[0].BoundAddress}") };
        foreach ((string path, int count) in requests)
            for (int i = 0; i < count; i++) using (await client.GetAsync(new Uri(path, UriKind.Relative))) { }
        await Eventually.Until("all requests are recorded", () => rig.Host.Replay(rig.Host.Current!)?.Requests == requests.Sum(static r => r.Count));
    }

    [Fact]
    public async Task MoreThanTheBudget_IsRefusedWithTheShareByKindAndExamples_AndARollbackIsNot()
    {
        await using ControlRig rig = new(_folder);
        await rig.StartAsync(Document("/b"));
        await ServeAsync(rig, ("/a/1", 6), ("/b/secret?token=x", 4));
        ApplyResult refused = await rig.ApplyAsync(Document("/c"));
        Assert.Equal((ApplyOutcome.Rejected, "replay_budget_exceeded", "rollout.default.replay.maxChangedPercent"), (refused.Outcome, refused.Errors[0].Code, refused.Errors[0].Path));
        Assert.StartsWith("40% of 10 recorded requests would have another outcome, and 30% may (route 4, status 4): 4 like GET http://127.0.0.1", refused.Errors[0].Message, StringComparison.Ordinal);
        Assert.Contains("/b/secret go from route 'b' (201) to no route", refused.Errors[0].Message, StringComparison.Ordinal);
        Assert.Equal("replay_budget_exceeded", (await rig.Queue.ValidateAsync(ControlRig.Document(Document("/c")), CancellationToken.None)).Errors[0].Code);

        // A budget is raised by one change, and the next one has the good of it.
        Assert.True((await rig.ApplyAsync(Document("/b", "\"maxChangedPercent\": 40, \"minRequests\": 10"))).IsGood);
        Assert.True((await rig.ApplyAsync(Document("/c", "\"maxChangedPercent\": 40, \"minRequests\": 10"))).IsGood);
        Assert.Equal(ApplyOutcome.Applied, (await rig.Queue.RollbackAsync(null, ControlRig.Admin with { Source = "rollback" }, CancellationToken.None)).Outcome);
        // Too few requests to say.
        Assert.True((await rig.ApplyAsync(Document("/b", "\"maxChangedPercent\": 0, \"minRequests\": 11"))).IsGood);
        Assert.True((await rig.ApplyAsync(Document("/c", "\"maxChangedPercent\": 0, \"minRequests\": 11"))).IsGood);
    }

    [Theory]
    [InlineData("\"maxChangedPercent\": 100, \"minRequests\": 10")]
    [InlineData("\"maxChangedPercent\": 30, \"minRequests\": 1000")]
    [InlineData(null)]
    public async Task ACandidate_CannotLoosenTheBudgetThatItIsHeldAgainst(string? budget)
    {
        await using ControlRig rig = new(_folder);
        await rig.StartAsync(Document("/b"));
        await ServeAsync(rig, ("/a/1", 6), ("/b", 4));
        string candidate = budget is null ? Document("/c").Replace("\"rollout\": { \"default\": { \"replay\": { \"maxChangedPercent\": 30, \"minRequests\": 10 } } },", "", StringComparison.Ordinal) : Document("/c", budget);
        Assert.Equal(budget is null, !candidate.Contains("rollout", StringComparison.Ordinal));
        ApplyResult refused = await rig.ApplyAsync(candidate);
        Assert.Equal("replay_budget_exceeded", refused.Errors[0].Code);
        Assert.Contains("raise it there first", refused.Errors[0].Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ADiff_ShowsTheReplayToo()
    {
        await using ControlRig rig = new(_folder);
        await rig.StartAsync(Document("/b"));
        await ServeAsync(rig, ("/a", 1), ("/b", 3));
        using HttpClient client = await rig.AdminClientAsync();
        using HttpResponseMessage response = await client.PostAsync("/admin/diff", ControlRig.Json(Document("/c")));
        JsonElement replay = (await ControlRig.JsonAsync(response)).GetProperty("replay");
        Assert.Equal((4, 3), (replay.GetProperty("requests").GetInt32(), replay.GetProperty("changed").GetInt32()));
        Assert.Equal(3, replay.GetProperty("byKind").GetProperty("route").GetInt32());
        Assert.Equal("b", replay.GetProperty("examples")[0].GetProperty("before").GetProperty("route").GetString());
    }
}
