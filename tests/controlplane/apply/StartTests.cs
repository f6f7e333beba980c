using Gateway.ControlPlane.Apply;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Apply;

/// <summary>What is served after a restart.</summary>
public sealed class StartTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // One life of the gateway: starts from the file (rewritten if given), does the work, and says what it served first.
    private async Task<string?> LiveAsync(string? file = null, Func<ControlRig, Task>? work = null, bool lastGood = false)
    {
        await using ControlRig rig = new(_folder);
        StartResult start = await rig.StartAsync(file, lastGood);
        Assert.Equal(start.Started, rig.Readiness.IsReady);
        string? serves = start.Started ? rig.Serves : null;
        if (work is not null) await work(rig);
        return serves;
    }

    [Fact]
    public async Task TheSameFileAgain_IsNoNewEntryInTheHistory()
    {
        Assert.Equal("a", await LiveAsync(ControlRig.Respond("a")));
        Assert.Equal("a", await LiveAsync(work: rig =>
        {
            _ = Assert.Single(rig.Store.History());
            Assert.Equal(1, rig.Queue.Live!.Sequence);
            return Task.CompletedTask;
        }));
    }

    [Fact]
    public async Task ARollback_SurvivesRestarts_AndAFileThatWasEditedSinceWins()
    {
        _ = await LiveAsync(ControlRig.Respond("a"));
        _ = await LiveAsync(ControlRig.Respond("b"), rig => rig.Queue.RollbackAsync(null, ControlRig.Admin with { Source = "rollback" }, default));
        Assert.Equal("a", await LiveAsync());
        Assert.Equal("a", await LiveAsync());
        Assert.Equal("c", await LiveAsync(ControlRig.Respond("c")));
        Assert.Equal("c", await LiveAsync());
    }

    [Fact]
    public async Task AnApply_SurvivesARestart_AndAFileThatWasEditedSinceWins()
    {
        _ = await LiveAsync(ControlRig.Respond("a"), rig => rig.ApplyAsync(ControlRig.Respond("admin")));
        Assert.Equal("admin", await LiveAsync());
        Assert.Equal("b", await LiveAsync(ControlRig.Respond("b")));
    }

    [Fact]
    public async Task WhatCannotBeServedAnyMore_GivesWayToTheFile()
    {
        _ = await LiveAsync(ControlRig.Respond("a"), rig => rig.ApplyAsync(ControlRig.Respond("admin")));
        foreach (string document in Directory.EnumerateFiles(_folder["data/configs"]).Where(f => File.ReadAllText(f).Contains("admin", StringComparison.Ordinal)).ToArray())
            await File.WriteAllTextAsync(document, "{}");
        Assert.Equal("a", await LiveAsync());
    }

    [Fact]
    public async Task ABrokenFile_IsRefusedWithAllErrors_EvenWhereItWouldNotBeServed()
    {
        await using (ControlRig first = new(_folder))
        {
            StartResult start = await first.StartAsync("""{ "version": "v1", "x": 1, "y": 2 }""");
            Assert.False(start.Started);
            Assert.Equal(2, start.FileErrors.Count);
            Assert.Empty(first.Store.History());
        }
        _ = await LiveAsync(ControlRig.Respond("a"), rig => rig.ApplyAsync(ControlRig.Respond("admin")));
        Assert.Null(await LiveAsync("{"));
    }

    [Fact]
    public async Task LastGood_ServesWhatWasLive_SaysSo_AndTheFileCanBeMended()
    {
        Assert.Null(await LiveAsync("{", lastGood: true));
        _ = await LiveAsync(ControlRig.Respond("a"));
        await using ControlRig rig = new(_folder);
        Assert.True((await rig.StartAsync("{", lastGood: true)).Started);
        Assert.Equal(("a", "last-good"), (rig.Serves, rig.Queue.Live!.Origin.Source));
        Assert.False(rig.File.Status.IsGood);
        Assert.Contains("[-] file failed", rig.Readiness.Text(), StringComparison.Ordinal);
        rig.File.Watch();
        await File.WriteAllTextAsync(rig.ConfigFile, ControlRig.Respond("a"));
        // The same version, but now it is the file's.
        await Eventually.Until("the mended file is live", () => rig.Queue.Live!.Origin.Source == "file" && rig.File.Status.IsGood);
    }

    [Fact]
    public async Task AMissingFile_IsAnErrorThatNamesIt()
    {
        await using ControlRig rig = new(_folder);
        StartResult start = await rig.StartAsync();
        Assert.False(start.Started);
        Assert.Contains(rig.ConfigFile, Assert.Single(start.FileErrors).Message, StringComparison.Ordinal);
    }
}
