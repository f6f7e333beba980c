using System.Diagnostics;
using Gateway.Core.Router;

namespace Gateway.Core.Tests.Router;

public sealed class ShadowTests
{
    private static RouteRule<string> Rule(string name, params string[] hosts) => new(name, name) { Hosts = hosts };

    private static RouteRule<string> Prefix(string name, string path, params string[] hosts) => Rule(name, hosts) with { PathKind = PathKind.Prefix, Path = path };

    private static (string, string)[] Shadows(params RouteRule<string>[] rules) =>
        [.. RouteTable<string>.Compile(rules).Shadowed.Select(static s => (s.Name, s.By))];

    [Fact]
    public void TheSameHostPathAndConditions_LaterInOrder_IsShadowed() =>
        Assert.Equal([("b", "a")], Shadows(Prefix("a", "/x/", "H"), Prefix("b", "/%78", "h."), Prefix("c", "/y", "h")));

    [Fact]
    public void ConditionsThatImplyAnEarlierRules_AreShadowed()
    {
        RouteRule<string> methods = Rule("methods") with { Methods = ["GET", "PUT"] };
        RouteRule<string> one = Rule("one") with { Methods = ["PUT"] };
        RouteRule<string> present = Rule("present") with { Headers = [new("X", ValueConditionKind.Present)] };
        RouteRule<string> equals = Rule("equals") with { Headers = [new("x", ValueConditionKind.Equals, "1")] };
        Assert.Equal([("one", "methods"), ("equals", "present")], Shadows(methods, one, present, equals));
    }

    [Fact]
    public void ARuleThatIsAskedEarlier_IsNotShadowedByAWiderOne()
    {
        RouteRule<string> wide = Rule("wide");
        Assert.Empty(Shadows(wide, Rule("method") with { Methods = ["GET"] }, Rule("header") with { Headers = [new("x", ValueConditionKind.Present)] }));
        Assert.Empty(Shadows(Prefix("root", "/"), Prefix("x", "/x"), wide));
    }

    [Fact]
    public void ARule_IsShadowedOnlyWhenItIsOnEachOfItsHosts()
    {
        Assert.Empty(Shadows(Rule("a", "one"), Rule("b", "one", "two")));
        Assert.Empty(Shadows(Rule("a", "*.x"), Rule("b", "a.x")));
        Assert.Equal([("c", "a")], Shadows(Rule("a", "one"), Rule("b", "two"), Rule("c", "one", "two", "ONE")));
    }

    [Fact]
    public void ARegex_IsShadowedByAPrefixForEverything_OnceForEachHost()
    {
        RouteRule<string> regex = Rule("regex", "one", "two") with { PathKind = PathKind.Regex, Path = "^/x" };
        Assert.Equal([("regex", "root")], Shadows(regex, Prefix("root", "/", "one", "two")));
        Assert.Empty(Shadows(regex, Prefix("root", "/", "one")));
        // Twice on one host, not at all on the other.
        Assert.Equal([("first", "root")], Shadows(regex with { Name = "first", Hosts = ["one"] }, regex, Prefix("root", "/", "one")));
    }

    [Fact]
    public void AHundredThousandRulesOnOnePath_AreSearchedInNearLinearTime()
    {
        var rules = new RouteRule<string>[100_000];
        for (int i = 0; i < rules.Length; i++) rules[i] = Rule($"r{i}") with { Headers = [new("x-tenant", ValueConditionKind.Equals, $"{i % 99_999}")] };
        var watch = Stopwatch.StartNew();
        Assert.Equal([("r99999", "r0")], Shadows(rules));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"took {watch.Elapsed}");
    }
}
