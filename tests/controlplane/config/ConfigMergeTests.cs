using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Gateway.Config;
using Gateway.Config.Layers;
using Xunit;

namespace Gateway.ControlPlane.Tests.Configuration;

public sealed class ConfigMergeTests
{
    private const string Base = """
        { "version": "v1",
          "listeners": [ { "name": "web", "address": "127.0.0.1:0" } ],
          "routes": [ { "name": "shop", "pool": "shop" }, { "name": "rest", "respond": { "status": 404 }, "overridable": true } ],
          "pools": { "shop": { "endpoints": [ { "address": "10.0.0.1:80" } ] } },
          "shutdown": { "drain": "1s" } }
        """;

    private static ConfigLayer Layer(string name, string json) => new(name, Encoding.UTF8.GetBytes(json));

    private static MergedDocument? Merge(out IReadOnlyList<ConfigError> errors, params ConfigLayer[] layers) => ConfigMerge.Merge(layers, out errors);

    private static GatewayConfig Read(MergedDocument? merged)
    {
        ReadResult read = ConfigReader.ReadJson(merged!.Json.Span);
        Assert.Empty(read.Errors);
        return read.Config!;
    }

    [Fact]
    public void EverySection_IsMergedSomehow()
    {
        // A list whose items have no name would throw here, and a new section is found by itself.
        foreach (ConfigSection section in ConfigSection.All.Where(static s => s.Kind == SectionKind.List)) Assert.Empty(section.Items(new GatewayConfig { Version = "v1" }));
        string[] fields = [.. typeof(GatewayConfig).GetProperties().Select(static p => p.Name).Except(["Version", "Schema", "Merge", "Overridable"])];
        Assert.Equal(fields.Length, ConfigSection.All.Count);
        MergedDocument? merged = Merge(out IReadOnlyList<ConfigError> errors,
            Layer("file f", """{ "version": "v1", "listeners": [ { "name": "web", "address": "127.0.0.1:0" } ], "certificates": { "a": { "certFile": "a", "keyFile": "a" } }, "pools": { "p": { "endpoints": [] } }, "rollout": { "slow": {} }, "metrics": { "maxSeries": 2000 } }"""),
            Layer("admin", """{ "version": "v1", "merge": "byName", "listeners": [ { "name": "web2", "address": "127.0.0.1:0" } ], "certificates": { "b": { "certFile": "b", "keyFile": "b" } }, "pools": { "q": { "endpoints": [] } }, "rollout": { "fast": {} }, "history": { "keep": 5 } }"""));
        Assert.Empty(errors);
        GatewayConfig config = Read(merged);
        Assert.Equal("web2 web", string.Join(' ', config.Listeners.Select(static l => l.Name)));
        Assert.Equal("a b", string.Join(' ', config.Certificates.Keys.Order()));
        Assert.Equal("p q", string.Join(' ', config.Pools.Keys.Order()));
        Assert.Equal("fast slow", string.Join(' ', config.Rollout.Keys.Order()));
        Assert.Equal((2000, 5), (config.Metrics.MaxSeries, config.History.Keep));
        Assert.Equal(MergeMode.Replace, config.Merge);
    }

    [Fact]
    public void RoutesOfTheHigherLayer_ComeFirst_AndTakeThePlaceOfOverridableOnes()
    {
        MergedDocument? merged = Merge(out IReadOnlyList<ConfigError> errors, Layer("file f", Base),
            Layer("admin", """{ "version": "v1", "merge": "byName", "routes": [ { "name": "new", "pool": "shop" }, { "name": "rest", "respond": { "status": 410 } } ] }"""));
        Assert.Empty(errors);
        Assert.Equal("new rest shop", string.Join(' ', Read(merged).Routes.Select(static r => r.Name)));
        Assert.Equal(410, Read(merged).Routes[1].Respond!.Status);
    }

    [Theory]
    [InlineData("""{ "version": "v1", "merge": "byName", "routes": [ { "name": "x", "pool": "shop" }, { "name": "shop", "pool": "shop" } ] }""", "routes[1]", "'shop' comes from admin (line 1, column 84) and from file /etc/gw.json (routes[0] there)")]
    [InlineData("""{ "version": "v1", "pools": { "shop": { "endpoints": [] } } }""", "pools.shop", "file /etc/gw.json (pools.shop there)")]
    [InlineData("""{ "version": "v1", "listeners": [ { "name": "web", "address": "127.0.0.1:0" } ] }""", "listeners[0]", "'web' comes from admin")]
    [InlineData("""{ "version": "v1", "shutdown": { "drain": "2s" } }""", "shutdown", "one content in admin")]
    public void TheSameNameInBoth_IsAConflictThatNamesBothSourcesAndThePlaces(string admin, string path, string says)
    {
        MergedDocument? merged = Merge(out IReadOnlyList<ConfigError> errors, Layer("file /etc/gw.json", Base), Layer("admin", admin));
        Assert.Null(merged);
        ConfigError error = Assert.Single(errors);
        Assert.Equal((path, ConfigErrorCodes.Conflict), (error.Path, error.Code));
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
        Assert.Contains("\"overridable\": true", error.Message, StringComparison.Ordinal);
        string overridable = Base.Replace("\"version\": \"v1\",", "\"version\": \"v1\", \"overridable\": true,", StringComparison.Ordinal);
        Assert.NotNull(Merge(out _, Layer("file /etc/gw.json", overridable), Layer("admin", admin)));
    }

    [Fact]
    public void TheSameContentOfASection_IsNoConflict()
    {
        MergedDocument? merged = Merge(out _, Layer("file f", Base), Layer("admin", """{ "version": "v1", "shutdown": { "drain": "1000ms", "grace": "30s" } }"""));
        Assert.Equal(TimeSpan.FromSeconds(1), Read(merged).Shutdown.Drain);
    }

    [Fact]
    public void AnErrorInALayer_NamesTheLayerAndItsOwnLines()
    {
        _ = Merge(out IReadOnlyList<ConfigError> errors, Layer("file f", Base), Layer("admin", "{ \"version\": \"v1\",\n  \"colour\": 1 }"));
        Assert.Equal("colour", Assert.Single(errors).Path);
        Assert.EndsWith("(line 2, column 3) (in admin)", errors[0].Message, StringComparison.Ordinal);
        MergedDocument merged = Merge(out _, Layer("file f", Base), Layer("admin", "{ \"version\": \"v1\",\n  \"routes\": [\n    { \"name\": \"a\", \"pool\": \"missing\" } ] }"))!;
        ConfigError unknown = Assert.Single(ConfigReader.ReadJson(merged.Json.Span, new ReadOptions { Position = merged.Position }).Errors);
        Assert.Contains("(line 3, column 20)", merged.Named(unknown).Message, StringComparison.Ordinal);
        Assert.EndsWith("(in admin)", merged.Named(unknown).Message, StringComparison.Ordinal);
        ConfigError below = merged.Named(new ConfigError("routes[1].pool", "x", "y"));
        Assert.Equal("y (in file f: routes[0].pool)", below.Message);
        Assert.Equal("y", merged.Named(new ConfigError("", "x", "y")).Message);
    }

    [Fact]
    public void ALayerThatSaysNothing_LeavesTheOtherByteForByte()
    {
        ConfigLayer file = Layer("file f", Base), empty = Layer("admin", """{ "version": "v1", "merge": "byName" }""");
        Assert.Equal(file.Json, Merge(out _, file)!.Json);
        Assert.Equal(file.Json, Merge(out _, file, empty)!.Json);
        Assert.Equal(file.Json, Merge(out _, empty, file)!.Json);
    }

    private static readonly Gen<string> Names = Gen.Elements("a", "b", "c", "d.e", "f\\\"g", "ä");

    private static Gen<string> Layers(int index) =>
        from routes in Gen.ListOf(Names)
        from pools in Gen.ListOf(Names)
        from overridable in Gen.Elements("", ", \"overridable\": true")
        from scalar in Gen.Elements("", ", \"history\": { \"keep\": 7 }", ", \"history\": { \"keep\": 8 }")
        select $$"""
            { "version": "v1", "merge": "byName"{{overridable}}, "routes": [ {{string.Join(", ", routes.Distinct().Select(n => $$"""{ "name": "{{n}}", "respond": { "body": "{{index}}" } }"""))}} ],
              "pools": { {{string.Join(", ", pools.Distinct().Select(n => $$""" "{{n}}": { "endpoints": [ { "address": "10.0.0.{{index}}:80" } ] }"""))}} }{{scalar}} }
            """;

    [Fact]
    public void AMerge_IsDeterministic_HasEachNameOnce_FromTheHighestThatHasIt_AndFailsOnlyForAConflict() =>
        Prop.ForAll((from a in Layers(1) from b in Layers(2) from c in Layers(3) select (a, b, c)).ToArbitrary(), static texts =>
        {
            ConfigLayer[] layers = [Layer("file f", texts.a), Layer("admin", texts.b), Layer("bundle", texts.c)];
            MergedDocument? one = ConfigMerge.Merge(layers, out IReadOnlyList<ConfigError> errors), two = ConfigMerge.Merge(layers, out _);
            GatewayConfig[] read = [.. layers.Select(static l => ConfigReader.ReadForm(l.Json.Span).Config!)];
            if (one is null) return errors.Count > 0 && errors.All(static e => e.Code == ConfigErrorCodes.Conflict) && two is null;
            GatewayConfig whole = ConfigReader.ReadForm(one.Json.Span).Config!;
            IEnumerable<string> expected = read.SelectMany(static c => c.Routes.Select(static r => r.Name)).Distinct().Order();
            return one.Json.Span.SequenceEqual(two!.Json.Span)
                && whole.Routes.Select(static r => r.Name).Order().SequenceEqual(expected)
                && whole.Routes.All(r => r.Respond!.Body == read.Last(c => c.Routes.Any(o => o.Name == r.Name)).Routes.First(o => o.Name == r.Name).Respond!.Body)
                && whole.Pools.All(p => p.Value.Endpoints[0].Address == read.Last(c => c.Pools.ContainsKey(p.Key)).Pools[p.Key].Endpoints[0].Address)
                && whole.Pools.Count == read.SelectMany(static c => c.Pools.Keys).Distinct().Count();
        }).QuickCheckThrowOnFailure();
}
