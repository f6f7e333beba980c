using FsCheck;
using FsCheck.Fluent;
using Gateway.Config;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Layers;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Apply;

/// <summary>What sources bring, laid over each other: applied, changed, taken away, gone back to and started again.</summary>
public sealed class LayerTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private ControlRig _rig = null!;

    public async ValueTask InitializeAsync()
    {
        _rig = new ControlRig(_folder);
        Assert.True((await _rig.StartAsync(File("one"))).Started);
        _rig.File.Watch();
    }

    public async ValueTask DisposeAsync()
    {
        await _rig.DisposeAsync();
        _folder.Dispose();
    }

    private async Task RestartAsync(string? file = null)
    {
        await _rig.DisposeAsync();
        _rig = new ControlRig(_folder);
        Assert.True((await _rig.StartAsync(file)).Started);
        _rig.File.Watch();
    }

    private static string File(string body, string more = "") =>
        $$"""{ "version": "v1", "listeners": [ { "name": "web", "address": "127.0.0.1:0" } ], "routes": [ { "name": "base", "respond": { "body": "{{body}}" } } ]{{more}} }""";

    private static string Over(string name, string body = "x", string more = "") =>
        $$"""{ "version": "v1", "merge": "byName", "routes": [ { "name": "{{name}}", "match": { "path": { "prefix": "/{{name}}" } }, "respond": { "body": "{{body}}" } } ]{{more}} }""";

    /// <summary>The live routes with their answers.</summary>
    private string Routes => string.Join(' ', _rig.Host.Current!.Config.Routes.Select(static r => $"{r.Name}={r.Respond!.Body}"));

    private string Layers => string.Join(' ', _rig.Queue.Live!.Layers.All.Select(static l => l.Source));

    // Requests get a configuration a moment before it is recorded and told of.
    private Task BecomeAsync(string what, string routes) => Eventually.Until(what, () => Routes == routes && _rig.Queue.Live!.Version == _rig.Host.Current!.Version);

    private async Task EditAsync(string file) => await System.IO.File.WriteAllTextAsync(_rig.ConfigFile, file);

    private Task<ApplyResult> RemoveAsync() => _rig.Queue.RemoveLayerAsync(ControlRig.Admin, null, CancellationToken.None);

    private Task<ApplyResult> RollbackAsync() => _rig.Queue.RollbackAsync(null, ControlRig.Admin with { Source = "rollback" }, CancellationToken.None);

    [Fact]
    public async Task AnAdminLayer_IsLaidOverTheFile_AndAChangeOfTheFileMergesAnew()
    {
        ApplyResult result = await _rig.ApplyAsync(Over("new"));
        Assert.Equal(ApplyOutcome.Applied, result.Outcome);
        Assert.Equal("new=x base=one", Routes);
        Assert.Equal("file admin", Layers);
        await EditAsync(File("two"));
        await BecomeAsync("the file's change is live below the layer", "new=x base=two");
        Assert.Equal("file", _rig.Queue.Live!.Origin.Source);
        _ = await _rig.ApplyAsync(Over("newer"));
        Assert.Equal("newer=x base=two", Routes);
        result = await _rig.ApplyAsync(Over("newer"));
        Assert.Equal(ApplyOutcome.Unchanged, result.Outcome);
        result = await RemoveAsync();
        Assert.Equal(ApplyOutcome.Applied, result.Outcome);
        Assert.Equal("base=two", Routes);
        Assert.Equal("file", Layers);
        Assert.Equal("no_layer", Assert.Single((await RemoveAsync()).Errors).Code);
    }

    [Fact]
    public async Task APlainDocument_IsTheWhole_AsItAlwaysWas_AndRemovingItBringsTheFileBack()
    {
        string plain = ControlRig.Respond("admin");
        _ = await _rig.ApplyAsync(plain);
        Assert.Equal("r=admin", Routes);
        Assert.Equal(plain, System.Text.Encoding.UTF8.GetString(_rig.Queue.ReadLive(_rig.Queue.Live!)));
        Assert.Equal("file admin", Layers);
        Assert.Equal("admin", Assert.Single(_rig.Queue.Live!.Layers.Effective).Source);
        _ = await RemoveAsync();
        Assert.Equal("base=one", Routes);
        _ = await _rig.ApplyAsync(plain);
        await EditAsync(File("two"));
        await BecomeAsync("the last writer wins", "base=two");
        Assert.Equal("file", Layers);
    }

    [Fact]
    public async Task AConflict_ChangesNothing_WhoeverBringsIt()
    {
        ApplyResult result = await _rig.ApplyAsync(Over("base"));
        Assert.Equal(ApplyOutcome.Rejected, result.Outcome);
        Assert.Contains($"'base' comes from admin (line 1, column 51) and from file {_rig.ConfigFile} (routes[0] there)", Assert.Single(result.Errors).Message, StringComparison.Ordinal);
        Assert.Equal("file", Layers);
        _ = await _rig.ApplyAsync(Over("new"));
        await EditAsync(File("two").Replace("\"base\"", "\"new\"", StringComparison.Ordinal));
        await Eventually.Until("the file's conflict is told", () => !_rig.File.Status.IsGood);
        Assert.Equal("new=x base=one", Routes);
        Assert.Contains("comes from admin", Assert.Single(_rig.File.Status.Errors).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnErrorOfTheWhole_NamesTheLayerItIsFrom()
    {
        ApplyResult result = await _rig.ApplyAsync("""{ "version": "v1", "merge": "byName", "routes": [ { "name": "a", "pool": "missing" } ] }""");
        ConfigError error = Assert.Single(result.Errors);
        Assert.Equal("routes[0].pool", error.Path);
        Assert.Contains("(line 1, column 66) (in admin)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ALayerThatWouldBeCovered_IsRefusedWithTheReason()
    {
        _ = await _rig.ApplyAsync(ControlRig.Respond("admin"));
        await EditAsync(Over("late"));
        await Eventually.Until("the refusal is told", () => !_rig.File.Status.IsGood);
        Assert.Contains("admin (priority 100) replaces the whole configuration", Assert.Single(_rig.File.Status.Errors).Message, StringComparison.Ordinal);
        Assert.Equal("r=admin", Routes);
    }

    [Fact]
    public async Task ValidateAndCompile_WorkOnTheMergedWhole_AndTouchNothing()
    {
        string refers = """{ "version": "v1", "merge": "byName", "routes": [ { "name": "a", "match": { "path": { "prefix": "/a" } }, "listeners": ["web"], "respond": {} } ] }""";
        Assert.Equal(ApplyOutcome.Valid, (await _rig.Queue.ValidateAsync(ControlRig.Document(refers), CancellationToken.None)).Outcome);
        Assert.Equal("a base", string.Join(' ', (await _rig.Queue.CompileAsync(ControlRig.Document(refers), CancellationToken.None)).Config!.Routes.Select(static r => r.Name)));
        Assert.Equal(ApplyOutcome.Rejected, (await _rig.Queue.ValidateAsync(ControlRig.Document(Over("base")), CancellationToken.None)).Outcome);
        Assert.Equal(ApplyOutcome.Valid, (await _rig.ApplyAsync(refers, dryRun: true)).Outcome);
        Assert.Equal("file", Layers);
        Assert.Single(_rig.Store.History());
    }

    [Fact]
    public async Task Layers_SurviveARestart_WithAndWithoutAChangeOfTheFile()
    {
        _ = await _rig.ApplyAsync(Over("new"));
        string version = _rig.Queue.Live!.Version;
        await RestartAsync();
        Assert.Equal(("new=x base=one", "file admin", version), (Routes, Layers, _rig.Queue.Live!.Version));
        await RestartAsync(File("two"));
        Assert.Equal(("new=x base=two", "file admin"), (Routes, Layers));
        await RestartAsync();
        Assert.Equal(("new=x base=two", "file admin"), (Routes, Layers));
        _ = await RemoveAsync();
        Assert.Equal("base=two", Routes);
        await RestartAsync();
        Assert.Equal(("base=two", "file"), (Routes, Layers));
    }

    [Fact]
    public async Task AStart_WithAFileThatConflictsWithALayer_IsRefused()
    {
        _ = await _rig.ApplyAsync(Over("new"));
        await _rig.DisposeAsync();
        _rig = new ControlRig(_folder);
        StartResult result = await _rig.StartAsync(File("two").Replace("\"base\"", "\"new\"", StringComparison.Ordinal));
        Assert.False(result.Started);
        Assert.Equal(ConfigErrorCodes.Conflict, Assert.Single(result.FileErrors).Code);
        await _rig.DisposeAsync();
        _rig = new ControlRig(_folder);
        Assert.True((await _rig.StartAsync(lastGood: true)).Started);
        Assert.Equal("new=x base=one", Routes);
    }

    [Fact]
    public async Task ARollback_GoesBackToTheWholeAndToItsLayers_AlsoOverARestart()
    {
        _ = await _rig.ApplyAsync(Over("good"));
        _ = await _rig.ApplyAsync(Over("bad"));
        _ = await RollbackAsync();
        Assert.Equal("good=x base=one", Routes);
        await RestartAsync();
        Assert.Equal(("good=x base=one", "file admin"), (Routes, Layers));
        await EditAsync(File("two"));
        await BecomeAsync("the file's change comes below the layer that was gone back to", "good=x base=two");
        _ = await RollbackAsync();
        _ = await RollbackAsync();
        _ = await RollbackAsync();
        Assert.Equal(("base=one", "file"), (Routes, Layers));
    }

    [Fact]
    public async Task DocumentsOfLayers_AreKeptAsLongAsARecordNeedsThem_AndNoLonger()
    {
        await EditAsync(File("one", """, "history": { "keep": 2 }"""));
        await Eventually.Until("two are kept", () => _rig.Host.Current!.Config.History.Keep == 2 && _rig.Queue.Live!.Version == _rig.Host.Current.Version);
        for (int i = 0; i < 6; i++) _ = await _rig.ApplyAsync(Over("new", $"{i}"));
        // Two wholes, two admin layers, and the file's.
        Assert.Equal(5, Directory.GetFiles(_folder["data/configs"]).Length);
        await RestartAsync();
        Assert.Equal(5, Directory.GetFiles(_folder["data/configs"]).Length);
        Assert.Equal("new=5 base=one", Routes);
        _ = await RemoveAsync();
        Assert.Equal("base=one", Routes);
    }

    [Fact]
    public async Task YamlAndJson_GoTogether()
    {
        ConfigDocument yaml = new(System.Text.Encoding.UTF8.GetBytes("version: v1\nmerge: byName\nroutes:\n- name: y\n  match: { path: { prefix: /y } }\n  respond: { body: yaml }\n"), DocumentFormat.Yaml);
        ApplyResult result = await _rig.Queue.ApplyAsync(new ApplyRequest(yaml, ControlRig.Admin), CancellationToken.None);
        Assert.Equal(ApplyOutcome.Applied, result.Outcome);
        Assert.Equal("y=yaml base=one", Routes);
        await RestartAsync();
        Assert.Equal("y=yaml base=one", Routes);
    }

    [Theory]
    [InlineData("{ \"version\": \"v1\", \"merge\": \"byName\" }", "json", MergeMode.ByName)]
    [InlineData("{ \"version\": \"v1\", \"\\u006derge\": \"byName\" }", "json", MergeMode.ByName)]
    [InlineData("{ \"version\": \"v1\", \"merge\": \"replace\" }", "json", MergeMode.Replace)]
    [InlineData("{ \"version\": \"v1\", \"pools\": { \"merge\": { \"endpoints\": [] } } }", "json", MergeMode.Replace)]
    [InlineData("{ \"merge\": \"byName\"", "json", MergeMode.Replace)]
    [InlineData("version: v1\nmerge: byName\n", "yaml", MergeMode.ByName)]
    [InlineData("version: v1\n\"\\x6derge\": byName\n", "yaml", MergeMode.ByName)]
    [InlineData("version: v1\n", "yaml", MergeMode.Replace)]
    public void HowADocumentIsMerged_IsSeenHoweverItIsWritten(string text, string format, MergeMode mode) =>
        Assert.Equal(mode, LayerComposer.ModeOf(new ConfigDocument(System.Text.Encoding.UTF8.GetBytes(text), format == "yaml" ? DocumentFormat.Yaml : DocumentFormat.Json)));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task WhicheverOfAdminAndBundleComesFirst_TheWholeIsTheSame(bool adminFirst)
    {
        Task<ApplyResult> BundleAsync(string text, long sequence) => _rig.Queue.ApplyAsync(
            new ApplyRequest(ControlRig.Document(text), new ChangeOrigin("bundle", "pull", "")) { Bundle = new BundleStamp(sequence, "bundle") }, CancellationToken.None);
        if (adminFirst) _ = await _rig.ApplyAsync(Over("a"));
        Assert.Equal(ApplyOutcome.Applied, (await BundleAsync(Over("b"), 1)).Outcome);
        if (!adminFirst) _ = await _rig.ApplyAsync(Over("a"));
        Assert.Equal(("b=x a=x base=one", "file admin bundle"), (Routes, Layers));
        await RestartAsync();
        Assert.Equal(("b=x a=x base=one", "file admin bundle"), (Routes, Layers));
        Assert.Contains("'b' comes from bundle", Assert.Single((await _rig.ApplyAsync(Over("b"))).Errors).Message, StringComparison.Ordinal);
        // The admin API's plain document is the whole below the bundle's layer.
        _ = await _rig.ApplyAsync(File("plain"));
        Assert.Equal(("b=x base=plain", "file admin bundle"), (Routes, Layers));
        Assert.Equal(ApplyOutcome.Applied, (await BundleAsync(File("all"), 2)).Outcome);
        Assert.Equal("base=all", Routes);
        Assert.Contains("bundle (priority 150) replaces the whole", Assert.Single((await _rig.ApplyAsync(Over("a"))).Errors).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AWholeOfAnotherReplica_IsTakenAsItIs_AndCanBeLaidOver()
    {
        _ = await _rig.ApplyAsync(Over("mine"));
        ApplyRequest shared = new(ControlRig.Document(Over("theirs", more: """, "listeners": [ { "name": "web", "address": "127.0.0.1:0" } ]""")), new ChangeOrigin("fleet", "token", "b")) { Fleet = new FleetStamp(1, null, "by b") };
        Assert.Equal(ApplyOutcome.Applied, (await _rig.Queue.ApplyAsync(shared, CancellationToken.None)).Outcome);
        Assert.Equal(("theirs=x", "fleet"), (Routes, Layers));
        _ = await _rig.ApplyAsync(Over("more"));
        Assert.Equal(("more=x theirs=x", "fleet admin"), (Routes, Layers));
    }

    [Fact]
    public async Task ALayersDocument_IsStoredBeforeItsRecord_AndWhenItIsGoneTheWholeIsServedAllTheSame()
    {
        // The layer's document and the whole are on the disk before the record that names them.
        _ = await _rig.ApplyAsync(Over("a"));
        foreach (SourceLayer layer in _rig.Store.LastApplied!.Layers!) Assert.True(System.IO.File.Exists(_folder[$"data/configs/{layer.Digest}.{layer.Format}"]), layer.Source);
        // Without it the whole is served all the same, and what needs the layer says so.
        System.IO.File.Delete(_folder[$"data/configs/{_rig.Store.LastApplied.Layers![0].Digest}.json"]);
        Assert.Equal(ApplyLedger.StoreFailed, Assert.Single((await RemoveAsync()).Errors).Code);
        await RestartAsync();
        Assert.Equal("a=x base=one", Routes);
    }

    private static SourceLayer Layer(string source, MergeMode merge, int number) => new(source, source, default, $"{number:x64}", "json", merge);

    [Fact]
    public void TheOrderInWhichLayersCome_DoesNotMatter_WhenAtMostTheLowestReplaces() =>
        Prop.ForAll(Gen.Shuffle(["file", "kubernetes", "admin", "bundle"]).ToArbitrary(), Gen.Elements(MergeMode.Replace, MergeMode.ByName).ToArbitrary(), static (order, lowest) =>
        {
            LayerSet set = LayerSet.Empty;
            foreach (string source in order) set = set.With(Layer(source, source == "file" ? lowest : MergeMode.ByName, 1));
            return set.All.Select(static l => l.Source).SequenceEqual(["file", "kubernetes", "admin", "bundle"]) && set.Effective.Count == 4;
        }).QuickCheckThrowOnFailure();
}
