using System.Diagnostics;
using Gateway.Core.Router;
using Gateway.Core.Router.Compare;

namespace Gateway.Core.Tests.Router;

public sealed class TableComparisonTests
{
    private static RouteRule<string> Rule(string name, string target = "") => new(name, target.Length == 0 ? name : target);

    private static RouteRule<string> Prefix(string name, string path, params string[] hosts) => Rule(name) with { PathKind = PathKind.Prefix, Path = path, Hosts = hosts };

    private static TableDifference<string> Compare(RouteRule<string>[] before, params RouteRule<string>[] after) =>
        TableComparison<string>.Compare(RouteTable<string>.Compile(before), RouteTable<string>.Compile(after), static (a, b) => a == b);

    private static string[] Lines(TableDifference<string> difference) =>
    [
        .. difference.Classes.Select(static c =>
            $"{c.Before ?? "-"} -> {c.After ?? "-"}: {string.Join(' ', c.Conditions.Hosts)} {c.Conditions.PathKind} {c.Conditions.Path}{string.Concat(c.Conditions.PathPatterns.Select(static p => $" ~{p}"))} "
            + $"[{string.Join(' ', c.Conditions.Methods)}] h[{string.Join(' ', c.Conditions.Headers.Select(static h => h.Name))}] except [{string.Join(' ', c.ExceptBefore.Names)}] [{string.Join(' ', c.ExceptAfter.Names)}] e.g. {c.Witness.Method} {c.Witness.HostText}{c.Witness.Target}"),
        .. difference.Undecided.Select(static u => $"{u.Before ?? "-"} ?? {u.After ?? "-"}: {u.Reason}"),
    ];

    [Fact]
    public void TheSameTables_AreEquivalent_AlsoWhenRulesThatNeverMeetChangePlaces()
    {
        RouteRule<string>[] rules = [Prefix("a", "/a"), Prefix("b", "/b"), Rule("c") with { Hosts = ["c"] }];
        Assert.True(Compare(rules, rules).IsEquivalent);
        Assert.True(Compare(rules, rules[2], rules[1], rules[0]).IsEquivalent);
    }

    [Fact]
    public void ARemovedRoute_GoesToWhoeverComesNext() =>
        Assert.Equal(
            ["a -> root: * Prefix /a [] h[] except [] [] e.g. GET host.test/a"],
            Lines(Compare([Prefix("a", "/a"), Prefix("root", "/")], Prefix("root", "/"))));

    [Fact]
    public void AnAddedRoute_TakesFromEachThatServedItsRequests() =>
        Assert.Equal(
        [
            "root -> new: shop.x Prefix /api [POST] h[x] except [deep] [deep] e.g. POST shop.x/api",
            "- -> new: shop.x Prefix /api [POST] h[] except [deep root] [deep] e.g. POST shop.x/api",
        ],
        Lines(Compare(
            [Prefix("deep", "/api/deep", "shop.x"), Prefix("root", "/") with { Headers = [new("x", ValueConditionKind.Absent)] }],
            Prefix("deep", "/api/deep", "shop.x"), Prefix("root", "/") with { Headers = [new("x", ValueConditionKind.Absent)] }, Prefix("new", "/api", "shop.x") with { Methods = ["POST"] })));

    [Fact]
    public void ANarrowedMatch_LosesOnlyTheRest()
    {
        RouteRule<string> all = Prefix("all", "/");
        Assert.Equal(
            ["a -> all: * Prefix /a [] h[] except [] [a] e.g. POST host.test/a"],
            Lines(Compare([Prefix("a", "/a"), all], Prefix("a", "/a") with { Methods = ["GET"] }, all)));
    }

    [Fact]
    public void AChangedTarget_IsSeenOnlyWhereTheRouteWins()
    {
        RouteRule<string> exact = Rule("exact") with { PathKind = PathKind.Exact, Path = "/a" };
        Assert.Equal(
            ["old -> new: * Prefix /a [] h[] except [exact] [exact] e.g. GET host.test/a/"],
            Lines(Compare([exact, Prefix("a", "/a") with { Target = "old" }], exact, Prefix("a", "/a") with { Target = "new" })));
        // Unreachable before and after.
        RouteRule<string> wins = Prefix("wins", "/a");
        Assert.True(Compare([wins, Prefix("late", "/a") with { Target = "old" }], wins, Prefix("late", "/a") with { Target = "new" }).IsEquivalent);
    }

    [Fact]
    public void OrderMatters_OnlyWhereRulesTie() =>
        Assert.Equal(
            ["a -> b: * Prefix /x [] h[] except [] [] e.g. GET host.test/x"],
            Lines(Compare([Prefix("a", "/x"), Prefix("b", "/x")], Prefix("b", "/x"), Prefix("a", "/x"))));

    [Fact]
    public void SeveralValuesOfOneHeader_AreOneRequest()
    {
        RouteRule<string> one = Rule("one") with { Headers = [new("x-beta", ValueConditionKind.Equals, "1")] }, two = Rule("two") with { Headers = [new("x-beta", ValueConditionKind.Equals, "2")] };
        RequestClass<string> both = Assert.Single(Compare([one, two], two, one).Classes);
        Assert.Equal(["1", "2"], both.Witness.Headers.Select(static h => h.Value).Order());
    }

    [Fact]
    public void RegularExpressions_AreDecidedByExample_OrSaidToBeUndecided()
    {
        RouteRule<string> digits = Rule("digits") with { PathKind = PathKind.Regex, Path = "^/v[0-9]+/" }, words = Rule("words") with { PathKind = PathKind.Regex, Path = "^/w/" };
        Assert.Equal(["digits -> -: * Any  ~^/v[0-9]+/ [] h[] except [] [words] e.g. GET host.test/v0/"], Lines(Compare([digits, words], words)));
        // What the new one leaves over of the old one: an example is found.
        Assert.Equal(
            [
                "digits -> -: * Any  ~^/v[0-9]+/ [] h[] except [] [digits] e.g. GET host.test/v99/",
                "- ?? digits: whether a path matches the one's regular expressions and not the other's",
            ],
            Lines(Compare([digits], digits with { Path = "^/v[0-9]/" })));
        // The same language written in another way: no example can be found, and there is no proof that there is none.
        Assert.Equal(
            ["digits ?? -: whether a path matches the one's regular expressions and not the other's", "- ?? changed: whether a path matches the one's regular expressions and not the other's"],
            Lines(Compare([digits], digits with { Name = "digits", Target = "changed", Path = "^/v[0-9][0-9]*/" })).Where(static l => !l.StartsWith("digits -> changed")));
    }

    [Fact]
    public void OneRouteOfTenThousand_IsComparedInLessThanASecond()
    {
        foreach (Func<int, RouteRule<string>> shape in new Func<int, RouteRule<string>>[]
        {
            static i => Prefix($"r{i}", "/api", $"h{i}.example.com"),
            static i => Prefix($"r{i}", $"/p{i}", "one.example.com"),
            static i => Prefix($"r{i}", "/", i == 5000 ? [] : [$"h{i}.example.com"]),
            static i => Rule($"r{i}") with { Headers = [new("x-tenant", ValueConditionKind.Equals, $"{i}")] },
        })
        {
            RouteRule<string>[] rules = [.. Enumerable.Range(0, 10_000).Select(shape)];
            RouteTable<string> before = RouteTable<string>.Compile(rules);
            rules[5000] = rules[5000] with { Target = "changed" };
            RouteTable<string> after = RouteTable<string>.Compile(rules);
            TableDifference<string> difference = null!;
            TimeSpan best = TimeSpan.MaxValue;
            // The best of three: the machine may be busy with something else for a second.
            for (int i = 0; i < 3 && best >= TimeSpan.FromSeconds(1); i++)
            {
                var watch = Stopwatch.StartNew();
                difference = TableComparison<string>.Compare(before, after, static (a, b) => a == b);
                if (watch.Elapsed < best) best = watch.Elapsed;
            }
            Assert.True(best < TimeSpan.FromSeconds(1), $"took {best}");
            Assert.Equal(("r5000", "changed", true), (Assert.Single(difference.Classes).Before, difference.Classes[0].After, difference.IsComplete));
        }
    }
}
