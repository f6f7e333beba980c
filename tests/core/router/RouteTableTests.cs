using Gateway.Core.Router;

namespace Gateway.Core.Tests.Router;

public sealed class RouteTableTests
{
    private static readonly List<RouteRule<string>> None = [];

    private static RouteRule<string> Rule(string name, string? host = null, PathKind kind = PathKind.Any, string path = "/") =>
        new(name, name) { Hosts = host is null ? [] : [host], PathKind = kind, Path = path };

    private static string? Match(IReadOnlyList<RouteRule<string>> rules, string path, string host = "x", string method = "GET", string query = "", params (string, string)[] headers) =>
        RouteTable<string>.Compile(rules).Match(new TestRequest(method, host, path, query, headers));

    [Fact]
    public void AnEmptyTable_MatchesNothing() => Assert.Null(Match(None, "/"));

    [Theory]
    [InlineData("a.example.com", "exact")]
    [InlineData("A.EXAMPLE.com:8080", "exact")]
    [InlineData("a.example.com.", "exact")]
    [InlineData("a.example.com.:443", "exact")]
    [InlineData("b.example.com", "wild")]
    [InlineData("c.b.example.com", "wild")]
    [InlineData("x.deep.example.com", "deep")]
    [InlineData("deep.example.com", "wild")]
    [InlineData("example.com", "any")]
    [InlineData(".example.com", "any")]
    [InlineData("notexample.com", "any")]
    [InlineData("", "any")]
    [InlineData("[::1]:80", "v6")]
    [InlineData("[::1]", "v6")]
    [InlineData("[::1", "any")]
    public void TheMostSpecificHost_Wins(string host, string expected)
    {
        RouteRule<string>[] rules = [Rule("any"), Rule("wild", "*.example.com"), Rule("deep", "*.DEEP.example.com"), Rule("exact", "a.Example.com"), Rule("v6", "::1")];
        Assert.Equal(expected, Match(rules, "/", host));
    }

    [Theory]
    [InlineData("/api", "exact")]
    [InlineData("/api/", "prefix")]
    [InlineData("/api/x", "prefix")]
    [InlineData("/apifoo", "root")]
    [InlineData("/api/v1", "long")]
    [InlineData("/api/v1/z", "long")]
    [InlineData("/api/v12", "prefix")]
    [InlineData("/API", "root")]
    [InlineData("/", "root")]
    public void APrefix_IsWholeSegments_AndTheLongestWins(string path, string expected)
    {
        RouteRule<string>[] rules =
        [
            Rule("root", null, PathKind.Prefix, "/"), Rule("prefix", null, PathKind.Prefix, "/api/"), Rule("long", null, PathKind.Prefix, "/api/v1"),
            Rule("exact", null, PathKind.Exact, "/api"),
        ];
        Assert.Equal(expected, Match(rules, path));
    }

    [Fact]
    public void AShorterPrefix_ThatIsNoWholeSegment_IsNotFallenBackTo()
    {
        RouteRule<string>[] rules = [Rule("a", null, PathKind.Prefix, "/a"), Rule("ab", null, PathKind.Prefix, "/ab") with { Methods = ["PUT"] }];
        Assert.Null(Match(rules, "/ab/x"));
        Assert.Equal("a", Match(rules, "/a/b"));
    }

    [Fact]
    public void ARegex_ComesAfterEveryPrefix_AndBeforeNoPathCondition()
    {
        RouteRule<string>[] rules = [Rule("any"), Rule("regex", null, PathKind.Regex, "^/items/[0-9]+$"), Rule("prefix", null, PathKind.Prefix, "/items/7")];
        Assert.Equal("regex", Match(rules, "/items/12"));
        Assert.Equal("prefix", Match(rules, "/items/7"));
        Assert.Equal("any", Match(rules, "/items/x"));
    }

    [Fact]
    public void MethodThenHeadersThenQueryThenOrder_BreakTies()
    {
        RouteRule<string> plain = Rule("plain"), later = Rule("later");
        RouteRule<string> query = Rule("query") with { Query = [new("q", ValueConditionKind.Present), new("r", ValueConditionKind.Present)] };
        RouteRule<string> header = Rule("header") with { Headers = [new("x-a", ValueConditionKind.Present)] };
        RouteRule<string> method = Rule("method") with { Methods = ["GET"] };
        RouteRule<string>[] rules = [plain, later, query, header, method];
        Assert.Equal("method", Match(rules, "/", query: "q&r", headers: ("X-A", "")));
        Assert.Equal("header", Match(rules, "/", method: "HEAD", query: "q&r", headers: ("X-A", "")));
        Assert.Equal("query", Match(rules, "/", method: "HEAD", query: "q&r"));
        Assert.Equal("plain", Match(rules, "/", method: "HEAD", query: "q"));
    }

    [Fact]
    public void ARuleWhosePredicatesFail_FallsThrough_AcrossPathsAndHosts()
    {
        RouteRule<string>[] rules =
        [
            Rule("exact", "a.x.org", PathKind.Exact, "/p/q") with { Methods = ["GET"] },
            Rule("prefix", "a.x.org", PathKind.Prefix, "/p") with { Methods = ["PUT"] },
            Rule("regex", "a.x.org", PathKind.Regex, "q$") with { Methods = ["POST"] },
            Rule("wildcard", "*.x.org", PathKind.Exact, "/p/q") with { Methods = ["PATCH"] },
            Rule("shorter", "*.org", PathKind.Prefix, "/p") with { Methods = ["TRACE"] },
            Rule("any"),
        ];
        foreach ((string method, string expected) in new[] { ("GET", "exact"), ("PUT", "prefix"), ("POST", "regex"), ("PATCH", "wildcard"), ("TRACE", "shorter"), ("HEAD", "any") })
            Assert.Equal(expected, Match(rules, "/p/q", "a.x.org", method));
    }

    [Theory]
    [InlineData("*", "OPTIONS")]
    [InlineData("", "CONNECT")]
    [InlineData("example.com:443", "CONNECT")]
    public void ATargetThatIsNoPath_MatchesOnlyRulesWithoutPathCondition(string target, string method)
    {
        RouteRule<string>[] rules = [Rule("root", null, PathKind.Prefix, "/"), Rule("regex", null, PathKind.Regex, ".*")];
        Assert.Null(Match(rules, target, method: method));
        Assert.Equal("any", Match([.. rules, Rule("any")], target, method: method));
    }

    [Theory]
    [InlineData("/%61dmin", "admin")]
    [InlineData("/admin%2Fx", null)]
    [InlineData("/a/../admin", "admin")]
    [InlineData("/a/%2e%2E/admin", "admin")]
    [InlineData("/../../admin/./x", "admin")]
    [InlineData("/admin/..", "root")]
    [InlineData("/a/..%2fadmin", null)]
    [InlineData("/a/%2e%2e%5cadmin", null)]
    [InlineData("/a\\..\\admin", null)]
    [InlineData("/a/..;x=1/admin", null)]
    [InlineData("/a//../admin", null)]
    [InlineData("//admin", null)]
    [InlineData("/admin;v=1", null)]
    [InlineData("/admin/..%2fa", null)]
    [InlineData("/a/b%2Fc", "a")]
    [InlineData("/a//b", "a")]
    [InlineData("/a/b;v=1", "a")]
    [InlineData("/a/%zz%2", "a")]
    [InlineData("/a/%252e%252e/admin", "a")]
    [InlineData("/one//two%2fthree", "literal")]
    [InlineData("/group%2fproject/x", "encoded")]
    [InlineData("/group%2Fproject/..%2f..%2fadmin", null)]
    public void APathThatCanBeReadTwoWays_MatchesOnlyIfBothWaysAgree(string path, string? expected)
    {
        RouteRule<string>[] rules =
        [
            Rule("root", null, PathKind.Prefix, "/"), Rule("a", null, PathKind.Prefix, "/a"), Rule("admin", null, PathKind.Prefix, "/admin"),
            Rule("literal", null, PathKind.Exact, "/one//two%2Fthree"), Rule("encoded", null, PathKind.Prefix, "/group%2fproject"),
        ];
        string? target = RouteTable<string>.Compile(rules).Match(new TestRequest("GET", "x", path), out bool twoReadings);
        Assert.Equal(expected, target);
        Assert.Equal(expected is null, twoReadings);
    }

    [Theory]
    [InlineData("/caf%c3%a9")]
    [InlineData("/c%61f%C3%A9")]
    public void ARulesPath_BeyondAscii_IsComparedPercentEncoded(string path) =>
        Assert.Equal("cafe", Match([Rule("cafe", null, PathKind.Exact, "/café")], path));

    [Theory]
    [InlineData("q=a%20b", true)]
    [InlineData("q=a+b", true)]
    [InlineData("x=1&%71=a%20b", true)]
    [InlineData("q=&q=a+b", true)]
    [InlineData("q=a%2Bb", false)]
    [InlineData("Q=a+b", false)]
    [InlineData("q=a+b+", false)]
    [InlineData("q", false)]
    [InlineData("", false)]
    public void AQueryValue_IsComparedDecoded_AndAnyOfItsValuesWill(string query, bool matches)
    {
        RouteRule<string> equals = Rule("r") with { Query = [new("q", ValueConditionKind.Equals, "a b")] };
        RouteRule<string> regex = Rule("r") with { Query = [new("q", ValueConditionKind.Regex, "^a b$")] };
        Assert.Equal(matches ? "r" : null, Match([equals], "/", query: query));
        Assert.Equal(matches ? "r" : null, Match([regex], "/", query: query));
    }

    [Fact]
    public void HeaderConditions_LookAtEveryValue()
    {
        (string, string)[] headers = [("x-a", "one"), ("X-A", "two")];
        Assert.Equal("r", Match([Rule("r") with { Headers = [new("X-a", ValueConditionKind.Equals, "two")] }], "/", headers: headers));
        Assert.Equal("r", Match([Rule("r") with { Headers = [new("x-a", ValueConditionKind.Regex, "^t")] }], "/", headers: headers));
        Assert.Equal("r", Match([Rule("r") with { Headers = [new("x-b", ValueConditionKind.Absent)] }], "/", headers: headers));
        Assert.Null(Match([Rule("r") with { Headers = [new("x-a", ValueConditionKind.Absent)] }], "/", headers: headers));
        Assert.Null(Match([Rule("r") with { Headers = [new("x-a", ValueConditionKind.Equals, "TWO")] }], "/", headers: headers));
        Assert.Null(Match([Rule("r") with { Headers = [new("x-b", ValueConditionKind.Present)] }], "/", headers: headers));
    }
}
