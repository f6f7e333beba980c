using System.Net;
using System.Text.Json;
using Gateway.Bundle;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Bundles;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Bundles;

/// <summary>No bundle goes in twice, and none below one that went in; and with keys nothing unsigned does.</summary>
public sealed class BundleSequenceTests : IDisposable
{
    private static readonly SigningKey Key = SigningKey.Generate();

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private ControlRig Rig(bool signedOnly = true) => new(_folder, verifier: new BundleVerifier([Key.Public], 1), signedOnly: signedOnly);

    private static async Task<string> PushAsync(ControlRig rig, string body, long sequence, string more = "")
    {
        BundleOutcome outcome = await rig.Bundles.TakeAsync(BundleMaker.Make(ControlRig.Respond(body, more), sequence, Key), ControlRig.Admin, CancellationToken.None);
        return outcome.Refusal?.Code ?? (outcome.Result!.IsGood ? outcome.Result.ResultName : outcome.Result.Errors[0].Code);
    }

    [Fact]
    public async Task OnlyHigherSequencesGoIn_AlsoAfterARestart()
    {
        await using (ControlRig rig = Rig())
        {
            await rig.StartAsync(ControlRig.Respond("file"));
            Assert.Equal("applied", await PushAsync(rig, "five", 5));
            Assert.Equal(["stale_sequence", "stale_sequence"], new[] { await PushAsync(rig, "again", 5), await PushAsync(rig, "older", 4) });
            Assert.Equal("five", rig.Serves);
        }
        await using ControlRig restarted = Rig();
        await restarted.StartAsync();
        Assert.Equal("five", restarted.Serves);
        Assert.Equal("stale_sequence", await PushAsync(restarted, "older", 5));
        Assert.Equal("applied", await PushAsync(restarted, "six", 6));
    }

    [Fact]
    public async Task TheSequence_OutlivesRetentionRollbackAndUnsignedApplies()
    {
        await using (ControlRig rig = Rig(signedOnly: false))
        {
            await rig.StartAsync(ControlRig.Respond("file"));
            await PushAsync(rig, "nine", 9, ", \"history\": { \"keep\": 1 }");
            for (int i = 0; i < 5; i++) Assert.True((await rig.ApplyAsync(ControlRig.Respond($"plain {i}", ", \"history\": { \"keep\": 1 }"))).IsGood);
            Assert.Single(rig.Store.History(), static r => r.IsApplied);
        }
        await using ControlRig restarted = Rig(signedOnly: false);
        await restarted.StartAsync();
        Assert.Equal(9, restarted.Store.BundleSequence);
        Assert.Equal("stale_sequence", await PushAsync(restarted, "older", 9));
    }

    [Fact]
    public async Task TheSameConfigurationInANewBundle_RaisesTheSequence()
    {
        await using ControlRig rig = Rig();
        await rig.StartAsync(ControlRig.Respond("file"));
        Assert.Equal("applied", await PushAsync(rig, "same", 1));
        Assert.Equal("unchanged", await PushAsync(rig, "same", 3));
        Assert.Equal("stale_sequence", await PushAsync(rig, "between", 2));
        Assert.Equal(3, rig.Store.BundleSequence);
    }

    [Fact]
    public async Task ABundleWithABadConfiguration_TellsItsErrors_AndTakesNoSequence()
    {
        await using ControlRig rig = Rig();
        await rig.StartAsync(ControlRig.Respond("file"));
        Assert.Equal("unknown_field", await PushAsync(rig, "x", 5, ", \"nonsense\": 1"));
        Assert.Equal(("file", 0L), (rig.Serves, rig.Store.BundleSequence));
        Assert.Equal("applied", await PushAsync(rig, "mended", 5));
    }

    [Fact]
    public async Task OfBundlesAtOnce_NoneLowerFollowsAHigher()
    {
        await using ControlRig rig = Rig();
        await rig.StartAsync(ControlRig.Respond("file"));
        string[] results = await Task.WhenAll(Enumerable.Range(1, 20).Select(i => Task.Run(() => PushAsync(rig, $"b{i}", i))));
        Assert.Equal(("b20", 20L), (rig.Serves, rig.Store.BundleSequence));
        Assert.All(results, static r => Assert.True(r is "applied" or "stale_sequence"));
        long[] applied = [.. rig.Store.History().Where(static r => r.Source == "bundle" && r.IsApplied).Select(static r => r.BundleSequence!.Value)];
        Assert.Equal(applied.Order(), applied);
    }

    [Fact]
    public async Task WithKeys_UnsignedAppliesAndFileChangesAreRefused_DryRunAndRollbackAreNot()
    {
        await using ControlRig rig = Rig();
        await rig.StartAsync(ControlRig.Respond("file"));
        await PushAsync(rig, "signed", 1);
        using HttpClient client = await rig.AdminClientAsync();
        using HttpResponseMessage refused = await client.PostAsync("/admin/config", ControlRig.Json(ControlRig.Respond("plain")));
        JsonElement problem = await ControlRig.JsonAsync(refused);
        Assert.Equal((HttpStatusCode.Forbidden, "unsigned_refused"), (refused.StatusCode, problem.GetProperty("errors")[0].GetProperty("code").GetString()));
        using HttpResponseMessage dry = await client.PostAsync("/admin/config?dryRun=true", ControlRig.Json(ControlRig.Respond("plain")));
        Assert.Equal(HttpStatusCode.OK, dry.StatusCode);
        rig.File.Watch();
        await File.WriteAllTextAsync(rig.ConfigFile, ControlRig.Respond("edited"));
        await Eventually.Until("the edit of the file is refused", () => rig.File.Status.Errors is [{ Code: "unsigned_refused" }]);
        Assert.Equal("signed", rig.Serves);
        Assert.Equal(ApplyOutcome.Applied, (await rig.Queue.RollbackAsync(null, ControlRig.Admin with { Source = "rollback" }, CancellationToken.None)).Outcome);
        Assert.Equal("file", rig.Serves);
    }

    [Fact]
    public async Task WithKeys_ARestartServesTheLastBundle_WhateverTheFileSaysMeanwhile()
    {
        await using (ControlRig rig = Rig())
        {
            await rig.StartAsync(ControlRig.Respond("file"));
            await PushAsync(rig, "signed", 1);
        }
        await using (ControlRig restarted = Rig())
        {
            await restarted.StartAsync(ControlRig.Respond("tampered"));
            Assert.Equal("signed", restarted.Serves);
        }
        await using ControlRig unsigned = Rig(signedOnly: false);
        await unsigned.StartAsync(ControlRig.Respond("edited"));
        Assert.Equal("edited", unsigned.Serves);
    }
}
