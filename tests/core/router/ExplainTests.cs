using FsCheck;
using FsCheck.Fluent;
using Gateway.Core.Router;

namespace Gateway.Core.Tests.Router;

public sealed class ExplainTests
{
    private static readonly RouteRule<string>[] Shop =
    [
        new("get", "get") { Hosts = ["shop.example.com"], PathKind = PathKind.Prefix, Path = "/api", Methods = ["GET"] },
        new("beta", "beta") { Hosts = ["shop.example.com"], PathKind = PathKind.Prefix, Path = "/api", Headers = [new("x-beta", ValueConditionKind.Equals, "1")] },
        new("search", "search") { Hosts = ["shop.example.com"], PathKind = PathKind.Prefix, Path = "/api", Query = [new("q", ValueConditionKind.Present)] },
        new("api", "api") { Hosts = ["shop.example.com"], PathKind = PathKind.Prefix, Path = "/api" },
        new("api2", "api2") { Hosts = ["shop.example.com"], PathKind = PathKind.Prefix, Path = "/api" },
        new("exact", "exact") { Hosts = ["shop.example.com"], PathKind = PathKind.Exact, Path = "/api/y" },
        new("versions", "versions") { Hosts = ["shop.example.com"], PathKind = PathKind.Regex, Path = "^/v[0-9]+/" },
        new("shops", "shops") { Hosts = ["*.example.com"], PathKind = PathKind.Prefix, Path = "/api" },
        new("other", "other") { Hosts = ["other.example.com"] },
        new("any", "any"),
    ];

    private static string[] Lines(string method, string host, string path, string query = "", params (string, string)[] headers) =>
        [.. RouteTable<string>.Compile(Shop).Explain(new TestRequest(method, host, path, query, headers), 100).Explanation.Candidates.Select(static c => $"{c.Name} {c.Verdict}: {c.Reason}")];

    [Fact]
    public void EveryNearerCandidate_SaysWhichConditionFailed()
    {
        Assert.Equal(
        [
            "get Method: the method is POST; the route is for GET",
            "beta Header: header x-beta is \"2\"; it must be \"1\"",
            "search Query: query parameter q: it must be there",
            "api Won: host shop.example.com, prefix /api; all of its conditions hold",
            "api2 Rank: it matches too, but route 'api' comes first: it stands earlier in the document",
            "versions Path: the path /api/x does not match ^/v[0-9]+/",
            "shops Rank: it matches too, but route 'api' comes first: its host shop.example.com is nearer than *.example.com",
            "any Rank: it matches too, but route 'api' comes first: its host shop.example.com is nearer than *",
            "exact Path: the path is /api/x; the route is for exactly /api/y",
            "other Host: the host is \"shop.example.com\"; the route is for other.example.com",
        ], Lines("POST", "shop.example.com:8080", "/api/x", "", ("x-beta", "2")));
    }

    [Fact]
    public void ThePrecedenceThatDecided_IsNamed()
    {
        Assert.Contains("api Rank: it matches too, but route 'beta' comes first: it has more conditions on header fields", Lines("POST", "shop.example.com", "/api", "", ("x-beta", "1")));
        Assert.Contains("api Rank: it matches too, but route 'search' comes first: it has more conditions on query parameters", Lines("POST", "shop.example.com", "/api", "q=1"));
        Assert.Contains("beta Rank: it matches too, but route 'get' comes first: it has a condition on the method", Lines("GET", "shop.example.com", "/api", "", ("x-beta", "1")));
        Assert.Contains("api Rank: it matches too, but route 'exact' comes first: exact path /api/y comes before prefix /api", Lines("POST", "shop.example.com", "/api/y"));
    }

    [Fact]
    public void APathWithTwoReadings_NamesTheRouteThatWouldHaveBeenChosen()
    {
        RouteTable<string> table = RouteTable<string>.Compile(
        [
            new("public", "public") { PathKind = PathKind.Prefix, Path = "/public" },
            new("admin", "admin") { PathKind = PathKind.Prefix, Path = "/admin" },
        ]);
        (string? target, RouteExplanation explanation) = table.Explain(new TestRequest("GET", "h", "/public/..%2fadmin"), 10);
        Assert.Null(target);
        Assert.Equal((true, "/public/..%2Fadmin", "/admin"), (explanation.TwoReadings, explanation.Path, explanation.OtherReading));
        Assert.Equal([("public", RouteVerdict.TwoReadings), ("admin", RouteVerdict.Path)], explanation.Candidates.Select(static c => (c.Name, c.Verdict)));
    }

    [Fact]
    public void TheLimit_BoundsTheCandidates_AndKeepsTheChosenOne()
    {
        IReadOnlyList<RouteCandidate> candidates = RouteTable<string>.Compile(Shop).Explain(new TestRequest("POST", "shop.example.com", "/api/x"), 2).Explanation.Candidates;
        Assert.Equal(["get", "beta", "api"], candidates.Select(static c => c.Name));
    }

    [Fact]
    public void TheExplanation_AgreesWithTheMatch_AndNamesEachRuleOnce_OnRandomTables()
    {
        int won = 0;
        Prop.ForAll(RouterGenerators.Cases(mostRules: 14, requests: 6), c =>
        {
            RouteTable<string> table = RouteTable<string>.Compile(c.Rules);
            foreach (TestRequest request in c.Requests)
            {
                string? matched = table.Match(request, out bool twoReadings);
                (string? target, RouteExplanation explanation) = table.Explain(request, int.MaxValue);
                Assert.Equal(matched, target);
                Assert.Equal(twoReadings, explanation.TwoReadings);
                Assert.Equal(c.Rules.Select(static r => r.Name).Order(), explanation.Candidates.Select(static x => x.Name).Order());
                Assert.Equal(matched is null ? [] : [matched], explanation.Candidates.Where(static x => x.Verdict == RouteVerdict.Won).Select(static x => x.Name));
                // Who comes before the chosen one on the walk lost by a condition, never by rank; without a chosen one nothing has a rank to lose by.
                bool mayRank = twoReadings;
                foreach (RouteCandidate candidate in explanation.Candidates)
                {
                    if (candidate.Verdict == RouteVerdict.Rank) Assert.True(mayRank, $"{candidate.Name} lost {request} by rank to nobody");
                    mayRank |= candidate.Verdict == RouteVerdict.Won;
                }
                if (matched is not null) won++;
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));
        Assert.True(won > 1000, $"only {won} matches");
    }
}
