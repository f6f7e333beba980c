using System.Diagnostics;
using Gateway.Core.Router;

namespace Gateway.Core.Tests.Router;

public sealed class ShadowTests
{
    private static RouteRule<string> Rule(string name, params string[] hosts) => new(name, name) { Hosts = hosts };

    private static RouteRule<string> Prefix(string name, string path, params string[] hosts) => Rule(name, hosts) with { PathKind = PathKind.Prefix, Path = path };

    private static (string, string)[] Shadows(params RouteRule<string>[] rules) =>
        [.. RouteTable<string>.Compile(rules).Shadowed.Select(static s => (s.Name, string.Join('+', s.By)))];

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
    public void SeveralRulesTogether_Shadow()
    {
        RouteRule<string> get = Prefix("get", "/a") with { Methods = ["GET"] }, put = Prefix("put", "/a") with { Methods = ["PUT"] }, both = Prefix("both", "/a") with { Methods = ["GET", "PUT"] };
        Assert.Equal([("both", "get+put")], Shadows(get, put, both));
        Assert.Empty(Shadows(get, put, both with { Methods = ["GET", "PUT", "POST"] }));
        Assert.Empty(Shadows(get, put, Prefix("any", "/a")));
        Assert.Empty(Shadows(get, put, both with { Path = "/a/b" }));
        // On each of its hosts, or not at all.
        Assert.Equal([("both", "get+put")], Shadows(get with { Hosts = ["h", "i"] }, put with { Hosts = ["h", "i"] }, both with { Hosts = ["h", "i"] }));
        Assert.Empty(Shadows(get with { Hosts = ["h", "i"] }, put with { Hosts = ["h"] }, both with { Hosts = ["h", "i"] }));

        RouteRule<string> there = Rule("there") with { Headers = [new("x", ValueConditionKind.Present)] }, absent = Rule("absent") with { Headers = [new("x", ValueConditionKind.Absent)] };
        Assert.Equal([("rest", "there+absent")], Shadows(there, absent, Rule("rest")));
        Assert.Equal([("rest", "absent+there")], Shadows(Prefix("absent", "/") with { Headers = absent.Headers }, Prefix("there", "/") with { Headers = there.Headers }, Prefix("rest", "/")));
        Assert.Empty(Shadows(there with { Headers = [new("x", ValueConditionKind.Equals, "1")] }, absent, Rule("rest")));
        Assert.Empty(Shadows(there with { Headers = [new("y", ValueConditionKind.Present)] }, absent, Rule("rest")));
        // Mixed: what has no x, and of the others GET and PUT.
        Assert.Equal([("last", "one+two+absent")], Shadows(
            Rule("one") with { Methods = ["GET"], Headers = there.Headers }, Rule("two") with { Methods = ["PUT"], Headers = there.Headers }, absent with { Methods = ["GET", "PUT"] },
            Rule("last") with { Methods = ["PUT", "GET"] }));
    }

    [Fact]
    public void AHundredThousandSmallGroups_AreSearchedInNearLinearTime()
    {
        var rules = new RouteRule<string>[100_000];
        for (int i = 0; i < rules.Length; i++)
        {
            rules[i] = Prefix($"r{i}", $"/{i / 4}") with
            {
                Methods = (i % 4) switch { 0 => ["GET"], 1 => ["PUT"], _ => [] },
                Headers = i % 4 == 2 ? [new("x", ValueConditionKind.Present)] : [],
            };
        }
        var watch = Stopwatch.StartNew();
        Assert.Empty(Shadows(rules));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"took {watch.Elapsed}");
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
