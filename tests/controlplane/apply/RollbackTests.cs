using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Store;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Apply;

/// <summary>Going back is a pointer swap where it can be, and a compile where it must.</summary>
public sealed class RollbackTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private ControlRig _rig = null!;

    public async ValueTask InitializeAsync()
    {
        _rig = new ControlRig(_folder);
        Assert.True((await _rig.StartAsync(ControlRig.Respond("file"))).Started);
    }

    public async ValueTask DisposeAsync()
    {
        await _rig.DisposeAsync();
        _folder.Dispose();
    }

    private Task<ApplyResult> BackAsync(string? version = null) =>
        _rig.Queue.RollbackAsync(version, ControlRig.Admin with { Source = "rollback" }, CancellationToken.None);

    [Fact]
    public async Task TheLastTwoVersions_AreGoneBackToWithoutACompileAndWithoutTheirDocument()
    {
        DateTimeOffset[] compiled = new DateTimeOffset[3];
        string[] versions = new string[3];
        for (int i = 0; i < 3; i++)
        {
            versions[i] = (await _rig.ApplyAsync(ControlRig.Respond($"v{i}"))).Version!;
            compiled[i] = _rig.Host.Current!.CompiledAt;
        }
        // Neither is read: what is not there cannot be.
        foreach (string file in Directory.EnumerateFiles(_folder["data/configs"])) File.Delete(file);
        Assert.Equal(ApplyOutcome.Applied, (await BackAsync()).Outcome);
        Assert.Equal(("v1", compiled[1], "rollback", versions[1]), (_rig.Serves, _rig.Host.Current!.CompiledAt, _rig.Host.Current.Source, _rig.Queue.Live!.Version));
        Assert.Equal(ApplyOutcome.Applied, (await BackAsync()).Outcome);
        Assert.Equal(("v0", compiled[0]), (_rig.Serves, _rig.Host.Current!.CompiledAt));
        Assert.Equal(ApplyOutcome.Applied, (await BackAsync(versions[2])).Outcome);
        Assert.Equal(("v2", compiled[2]), (_rig.Serves, _rig.Host.Current!.CompiledAt));
        Assert.Equal(ApplyOutcome.Unchanged, (await BackAsync(versions[2])).Outcome);
        // The fourth is not kept.
        Assert.Equal(ApplyOutcome.Rejected, (await BackAsync(_rig.Store.History()[0].Version)).Outcome);
        Assert.Equal("v2", _rig.Serves);
    }

    [Fact]
    public async Task WhatAnOldSnapshotLostMeanwhile_IsCompiledAnew_AndServes()
    {
        const string Two = """
            { "version": "v1", "listeners": [ { "name": "web", "address": "127.0.0.1:0" } ],
              "routes": [ { "name": "r", "respond": { "body": "two" } }, { "name": "gone", "match": { "path": { "prefix": "/gone" } }, "pool": "gone" } ],
              "pools": { "gone": { "endpoints": [ { "address": "127.0.0.1:1" } ] } } }
            """;
        _ = await _rig.ApplyAsync(Two);
        DateTimeOffset compiled = _rig.Host.Current!.CompiledAt;
        _ = await _rig.ApplyAsync(ControlRig.Respond("one"));
        await Eventually.Until("the pool is released", () => _rig.Host.RetiredSnapshots == 0 && !_rig.Host.Pools().Any());
        for (int i = 0; i < 4; i++)
        {
            Assert.Equal(ApplyOutcome.Applied, (await BackAsync(_rig.Store.History().First(r => r.Version != _rig.Queue.Live!.Version && r.Source == "admin").Version)).Outcome);
            Assert.Equal(_rig.Serves == "two" ? ["gone"] : Array.Empty<string>(), _rig.Host.Pools().Select(p => p.Name));
        }
        Assert.True(_rig.Host.Current!.CompiledAt >= compiled);
    }

    [Fact]
    public async Task GoingBackAndForth_LeavesNothingBehind()
    {
        _ = await _rig.ApplyAsync(ControlRig.Respond("one"));
        _ = await _rig.ApplyAsync(ControlRig.Respond("two"));
        string[] versions = [.. _rig.Store.History().TakeLast(2).Select(r => r.Version!)];
        for (int i = 0; i < 50; i++) Assert.Equal(ApplyOutcome.Applied, (await BackAsync(versions[i % 2])).Outcome);
        await Eventually.Until("no replaced snapshot is in use", () => _rig.Host.RetiredSnapshots == 0);
        Assert.Equal("two", _rig.Serves);
    }

    [Fact]
    public async Task Retention_ForgetsRecordsAndDocumentsBeyondHistoryKeep_AndWhatWasForgottenIsUnknown()
    {
        string first = _rig.Queue.Live!.Version;
        for (int i = 0; i < 6; i++) Assert.Equal(ApplyOutcome.Applied, (await _rig.ApplyAsync(ControlRig.Respond($"v{i}", """, "history": { "keep": 3 } """))).Outcome);
        Assert.Equal(3, _rig.Store.History().Count(static r => r.IsApplied));
        // And the file's document, which comes to light again when the admin API's is removed.
        Assert.Equal(4, Directory.GetFiles(_folder["data/configs"]).Length);
        Assert.Equal(ApplyOutcome.UnknownVersion, (await BackAsync(first)).Outcome);
        Assert.Equal(ApplyOutcome.Applied, (await BackAsync(_rig.Store.History()[0].Version)).Outcome);
        Assert.Equal("v3", _rig.Serves);
    }
}
