using System.Diagnostics;
using Gateway.Core.Router;

namespace Gateway.Core.Tests.Router;

/// <summary>Inputs made to be slow, deep or confusing. The time limits are a hundred times what it takes; a quadratic step would go far beyond.</summary>
public sealed class HostileInputTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    private static RouteRule<string> Rule(string name, PathKind kind = PathKind.Any, string path = "/", params string[] hosts) =>
        new(name, name) { PathKind = kind, Path = path, Hosts = hosts };

    private static string Repeat(string text, int times) => string.Concat(Enumerable.Repeat(text, times));

    private static string? Timed(Func<string?> match)
    {
        var watch = Stopwatch.StartNew();
        string? result = match();
        Assert.True(watch.Elapsed < Limit, $"took {watch.Elapsed}");
        return result;
    }

    [Fact]
    public void AMegabyteOfDotSegments_IsReducedInLinearTime()
    {
        RouteTable<string> table = RouteTable<string>.Compile([Rule("root", PathKind.Prefix, "/"), Rule("admin", PathKind.Prefix, "/admin")]);
        Assert.Equal("admin", Timed(() => table.Match(new TestRequest("GET", "x", Repeat("/a/%2e%2E", 120_000) + "/admin"))));
        Assert.Equal("admin", Timed(() => table.Match(new TestRequest("GET", "x", Repeat("/a", 200_000) + Repeat("/..", 200_000) + "/admin"))));
        Assert.Null(Timed(() => table.Match(new TestRequest("GET", "x", Repeat("/a", 200_000) + Repeat("%2f..", 200_000) + "/admin"))));
        Assert.Equal("root", Timed(() => table.Match(new TestRequest("GET", "x", Repeat("/", 1_000_000)))));
    }

    [Fact]
    public void AHostOfTenThousandLabels_IsWalkedInLinearTime()
    {
        string deep = "*." + Repeat("a.", 10_000) + "x";
        RouteTable<string> table = RouteTable<string>.Compile([Rule("deep", hosts: deep), Rule("shallow", hosts: "*.x"), Rule("post", hosts: "*.a.x") with { Methods = ["POST"] }]);
        Assert.Equal("deep", Timed(() => table.Match(new TestRequest("GET", "b." + deep[2..], "/"))));
        Assert.Equal("shallow", Timed(() => table.Match(new TestRequest("GET", deep[2..], "/"))));
        Assert.Equal("shallow", Timed(() => table.Match(new TestRequest("GET", Repeat(".", 1_000_000) + "x", "/"))));
    }

    [Fact]
    public void PathsThatContainEachOther_MakeADeepTree_WithoutRecursion()
    {
        var rules = new List<RouteRule<string>>();
        for (int i = 1; i <= 5000; i++) rules.Add(Rule($"r{i}", PathKind.Prefix, "/" + new string('a', i)));
        for (int i = 1; i <= 2000; i++) rules.Add(Rule($"s{i}", PathKind.Prefix, Repeat("/b", i)) with { Methods = ["POST"] });
        RouteTable<string> table = RouteTable<string>.Compile(rules);
        Assert.Empty(table.Shadowed);
        Assert.Equal("r5000", Timed(() => table.Match(new TestRequest("GET", "x", "/" + new string('a', 5000) + "/z"))));
        Assert.Null(Timed(() => table.Match(new TestRequest("GET", "x", "/" + new string('a', 5001)))));
        // Falls through all two thousand.
        Assert.Null(Timed(() => table.Match(new TestRequest("GET", "x", Repeat("/b", 2000)))));
        Assert.Equal("s2000", table.Match(new TestRequest("POST", "x", Repeat("/b", 2001))));
    }

    [Fact]
    public void RulesOfOnePath_ThatAHeaderTellsApart_AreFoundByItsValue()
    {
        var rules = new List<RouteRule<string>> { Rule("rest") };
        for (int i = 0; i < 50_000; i++) rules.Add(Rule($"t{i}") with { Headers = [new(i % 2 == 0 ? "X-Tenant" : "x-tenant", ValueConditionKind.Equals, $"{i}")] });
        RouteTable<string> table = RouteTable<string>.Compile(rules);
        // One after another this would be a billion conditions.
        Assert.Equal("t49999", Timed(() =>
        {
            string? last = null;
            for (int i = 0; i < 20_000; i++) last = table.Match(new TestRequest("GET", "x", "/", "", [("x-tenant", "none"), ("x-tenant", "49999")]));
            return last;
        }));
        Assert.Equal("rest", table.Match(new TestRequest("GET", "x", "/")));
    }

    [Fact]
    public void ARegexThatWouldBacktrackForEver_Does_Not()
    {
        RouteTable<string> table = RouteTable<string>.Compile([Rule("evil", PathKind.Regex, "^/(a+)+$")]);
        Assert.Null(Timed(() => table.Match(new TestRequest("GET", "x", "/" + new string('a', 60_000) + "!"))));
        Assert.Equal("evil", Timed(() => table.Match(new TestRequest("GET", "x", "/" + new string('a', 60_000)))));
    }

    [Fact]
    public void AHugeQuery_IsSearchedInLinearTime()
    {
        RouteTable<string> table = RouteTable<string>.Compile(
            [Rule("r") with { Query = [new("q", ValueConditionKind.Regex, "^(x|y)+z$"), new("absent", ValueConditionKind.Absent)] }]);
        Assert.Equal("r", Timed(() => table.Match(new TestRequest("GET", "x", "/", Repeat("q=x&", 100_000) + "q=" + Repeat("%78y", 100_000) + "z"))));
    }

    [Theory]
    [InlineData("/%")]
    [InlineData("/%2")]
    [InlineData("/%%32%65%32%65/x")]
    [InlineData("/%u002e%u002e/x")]
    [InlineData("/\0/..\0/x")]
    [InlineData("/\ud800/\udc00\ud800")]
    [InlineData("/%c0%ae%c0%ae/x")]
    [InlineData("/a?b#c")]
    [InlineData("/..")]
    [InlineData("/.")]
    [InlineData("/...")]
    [InlineData("//")]
    public void OddPaths_AreMatchedByACatchAll_AndByNothingElse(string path)
    {
        RouteTable<string> table = RouteTable<string>.Compile([Rule("root", PathKind.Prefix, "/"), Rule("x", PathKind.Prefix, "/x")]);
        Assert.Equal("root", table.Match(new TestRequest("GET", "h", path)));
    }

    [Fact]
    public void AQueryBeyondAscii_AndABrokenSurrogate_AreComparedAsUtf8()
    {
        RouteTable<string> table = RouteTable<string>.Compile([Rule("r") with { Query = [new("é", ValueConditionKind.Equals, "😀\ufffd")] }]);
        Assert.Equal("r", table.Match(new TestRequest("GET", "x", "/", "%c3%a9=%F0%9F%98%80%EF%BF%BD")));
        Assert.Equal("r", table.Match(new TestRequest("GET", "x", "/", "é=😀\ud800")));
    }

    [Theory]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData(":")]
    [InlineData("[")]
    [InlineData("[]")]
    [InlineData("]:80")]
    [InlineData("a.x:80:90")]
    [InlineData("a.x..")]
    [InlineData(" a.x")]
    [InlineData("a.x\0")]
    public void OddHosts_ReachNoRouteOfAHost(string host)
    {
        RouteTable<string> table = RouteTable<string>.Compile([Rule("any"), Rule("exact", hosts: "a.x")]);
        Assert.Equal(host == "a.x:80:90" ? "exact" : "any", table.Match(new TestRequest("GET", host, "/")));
    }

    [Fact]
    public async Task ManyThreads_MatchOnOneTable()
    {
        RouteTable<string> table = RouteTable<string>.Compile([Rule("regex", PathKind.Regex, "^/(a|b)+/[0-9]+$"), Rule("prefix", PathKind.Prefix, "/c")]);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(t => Task.Run(() =>
        {
            for (int i = 0; i < 20_000; i++)
            {
                Assert.Equal("regex", table.Match(new TestRequest("GET", "x", $"/abba/{i}")));
                Assert.Equal("prefix", table.Match(new TestRequest("GET", "x", $"/c/%7e/../{i}")));
            }
        })));
    }
}
