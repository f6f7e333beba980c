using FsCheck;
using FsCheck.Fluent;
using Gateway.Core.Router;

namespace Gateway.Core.Tests.Router;

public sealed class RouteTablePropertyTests
{
    private static readonly Config Thorough = Config.QuickThrowOnFailure.WithMaxTest(2000);

    [Fact]
    public void TheCompiledTable_AgreesWithTheNaiveReference_OnRandomTablesAndRequests()
    {
        (int matched, int asked) = Agree(RouterGenerators.Cases(mostRules: 14, requests: 12), Thorough);
        // Were nearly all cases misses, the agreement would mean little.
        Assert.InRange(matched, asked / 4, asked * 3 / 4);
    }

    [Fact]
    public void TheCompiledTable_AgreesWithTheNaiveReference_WhereManyRulesShareAPath()
    {
        (int matched, int asked) = Agree(RouterGenerators.OnePathCases(), Thorough.WithMaxTest(500));
        Assert.InRange(matched, asked / 4, asked);
    }

    private static (int Matched, int Asked) Agree(Arbitrary<RouterGenerators.Case> cases, Config config)
    {
        int matched = 0, asked = 0;
        Prop.ForAll(cases, c =>
        {
            RouteTable<string> table = RouteTable<string>.Compile(c.Rules);
            var naive = new NaiveRouter(c.Rules);
            foreach (TestRequest request in c.Requests)
            {
                string? expected = Naive(naive, request), actual = table.Match(request);
                asked++;
                if (expected is not null) matched++;
                if (expected != actual) throw new InvalidOperationException($"{request}: expected {expected ?? "no match"}, got {actual ?? "no match"}");
            }
        }).Check(config);
        return (matched, asked);
    }

    [Fact]
    public void AShadowedRule_NeverWins_AndItsShadowMatchesWhateverItDoes()
    {
        int claims = 0;
        Prop.ForAll(RouterGenerators.Cases(mostRules: 40, requests: 20), c =>
        {
            RouteTable<string> table = RouteTable<string>.Compile(c.Rules);
            claims += table.Shadowed.Count;
            HashSet<string> shadowed = [.. table.Shadowed.Select(static s => s.Name)];
            foreach (TestRequest request in c.Requests)
                if (table.Match(request) is { } name && shadowed.Contains(name)) throw new InvalidOperationException($"{name} won {request}");
            // Without them nothing changes.
            RouteTable<string> without = RouteTable<string>.Compile([.. c.Rules.Where(r => !shadowed.Contains(r.Name))]);
            foreach (TestRequest request in c.Requests)
                if (table.Match(request) != without.Match(request)) throw new InvalidOperationException($"a shadowed rule mattered to {request}");
        }).Check(Thorough);
        Assert.True(claims > 500, $"only {claims} claims");
    }

    [Fact]
    public void TheStrictForm_IsStable()
    {
        Prop.ForAll(RouterGenerators.Cases(mostRules: 0, requests: 10), c =>
        {
            foreach (TestRequest request in c.Requests)
            {
                if (!request.RawPath.StartsWith('/')) continue;
                string once = PathForm.OfRule(request.RawPath.ToString());
                Assert.Equal(once, PathForm.OfRule(once));
                Assert.Equal(NaiveRouter.StrictPath(request.RawPath.ToString()), once);
                Assert.Equal(NaiveRouter.LaxPath(request.RawPath.ToString()), PathForm.LaxOfRule(request.RawPath.ToString()));
            }
        }).Check(Thorough);
    }

    private static string? Naive(NaiveRouter naive, TestRequest request) => naive.Match(
        request.Method, request.Host.ToString(), request.RawPath.ToString(), request.RawQuery.ToString(), request.HeaderValues);
}
