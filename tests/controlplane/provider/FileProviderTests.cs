using Gateway.ControlPlane.Provider;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Provider;

public sealed class FileProviderTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private ControlRig _rig = null!;

    public async ValueTask InitializeAsync()
    {
        _rig = new ControlRig(_folder);
        Assert.True((await _rig.StartAsync(ControlRig.Respond("a"))).Started);
        _rig.File.Watch();
    }

    public async ValueTask DisposeAsync()
    {
        await _rig.DisposeAsync();
        _folder.Dispose();
    }

    private Task ServesAsync(string text) => Eventually.Until($"'{text}' is served", () => _rig.Serves == text);

    [Fact]
    public async Task AnEdit_IsApplied()
    {
        await File.WriteAllTextAsync(_rig.ConfigFile, ControlRig.Respond("b"));
        await ServesAsync("b");
        Assert.Equal("file", _rig.Queue.Live!.Origin.Source);
    }

    [Fact]
    public async Task AnEditorsRenameOverTheFile_IsApplied()
    {
        foreach (string text in (string[])["b", "c"])
        {
            File.Move(_folder.Write("gateway.json.new", ControlRig.Respond(text)), _rig.ConfigFile, overwrite: true);
            await ServesAsync(text);
        }
    }

    [Fact]
    public async Task ABrokenEdit_KeepsWhatIsLive_SaysWhy_AndIsMendedByTheNext()
    {
        await File.WriteAllTextAsync(_rig.ConfigFile, """{ "version": "v1", "bogus": 1 }""");
        await Eventually.Until("the error is told", () => !_rig.File.Status.IsGood);
        Assert.Equal("a", _rig.Serves);
        Assert.Contains(_rig.File.Status.Errors, e => e.Path == "bogus");
        Assert.True(_rig.Readiness.IsReady);
        File.Delete(_rig.ConfigFile);
        await Eventually.Until("the missing file is told", () => _rig.File.Status.Errors is [{ Code: Config.ConfigErrorCodes.FileUnreadable }]);
        await File.WriteAllTextAsync(_rig.ConfigFile, ControlRig.Respond("a"));
        await Eventually.Until("it is mended", () => _rig.File.Status.IsGood);
        await File.WriteAllTextAsync(_rig.ConfigFile, ControlRig.Respond("b"));
        await ServesAsync("b");
    }

    [Fact]
    public async Task TheSameContentAgain_LeavesAnApplyLive_AndSighupTakesTheFile()
    {
        _ = await _rig.ApplyAsync(ControlRig.Respond("admin"));
        await File.WriteAllTextAsync(_rig.ConfigFile, ControlRig.Respond("a"));
        // Written after the rewrite, so that when this is seen the rewrite was seen too.
        await File.WriteAllTextAsync(_rig.ConfigFile, "{");
        await Eventually.Until("the file was looked at", () => !_rig.File.Status.IsGood);
        Assert.Equal("admin", _rig.Serves);
        await File.WriteAllTextAsync(_rig.ConfigFile, ControlRig.Respond("a"));
        await ServesAsync("a");
        _ = await _rig.ApplyAsync(ControlRig.Respond("admin"));
        _rig.File.ReadNow();
        await ServesAsync("a");
    }
}

public sealed class ConfigMapTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private async Task SwapAsync(string version, string text)
    {
        _ = _folder.Write($"mount/..{version}/gateway.json", text);
        _ = File.CreateSymbolicLink(_folder["mount/..data_tmp"], $"..{version}");
        // .NET follows a link to a folder where rename(2) does not.
        Assert.Equal(0, (await Command.RunAsync("mv", ["-T", _folder["mount/..data_tmp"], _folder["mount/..data"]])).ExitCode);
    }

    [Fact]
    public async Task AConfigMapsSwap_IsApplied_AgainAndAgain()
    {
        _ = Directory.CreateDirectory(_folder["mount"]);
        await SwapAsync("1", ControlRig.Respond("a"));
        _ = File.CreateSymbolicLink(_folder["mount/gateway.json"], "..data/gateway.json");
        await using ControlRig rig = new(_folder, "mount/gateway.json");
        Assert.True((await rig.StartAsync()).Started);
        rig.File.Watch();
        string before = "1";
        foreach (string next in (string[])["2", "3", "4"])
        {
            await SwapAsync(next, ControlRig.Respond(next));
            await Eventually.Until($"'{next}' is served", () => rig.Serves == next);
            Directory.Delete(_folder[$"mount/..{before}"], recursive: true);
            before = next;
        }
        Assert.True(rig.File.Status.IsGood);
    }

    [Fact]
    public async Task TheFoldersOfEveryLinkOnTheWay_AreWatched()
    {
        _ = Directory.CreateDirectory(_folder["mount"]);
        await SwapAsync("1", "{}");
        _ = File.CreateSymbolicLink(_folder["mount/gateway.json"], "..data/gateway.json");
        Dictionary<string, HashSet<string>> folders = WatchedPath.Folders(_folder["mount/gateway.json"]);
        Assert.Equal(["..data", "gateway.json"], folders[_folder["mount"]].Order());
        Assert.Equal(["gateway.json"], folders[_folder["mount/..1"]]);
        Assert.Equal(2, folders.Count);
    }

    [Fact]
    public void ALoopOfLinks_Ends()
    {
        _ = File.CreateSymbolicLink(_folder["a"], "b");
        _ = File.CreateSymbolicLink(_folder["b"], "a");
        Assert.Equal(["a", "b"], Assert.Single(WatchedPath.Folders(_folder["a"])).Value.Order());
    }
}
