using FsCheck;
using FsCheck.Fluent;
using Gateway.Core.Router;

namespace Gateway.Core.Tests.Router;

/// <summary>Random tables and requests over alphabets so small that rules and requests meet.</summary>
internal static class RouterGenerators
{
    public sealed record Case(RouteRule<string>[] Rules, TestRequest[] Requests)
    {
        public override string ToString() =>
            string.Join("\n", Rules.Select(static r => $"{r.Name}: [{string.Join(' ', r.Hosts)}] {r.PathKind} {r.Path} [{string.Join(' ', r.Methods)}] h[{string.Join(' ', r.Headers)}] q[{string.Join(' ', r.Query)}]"))
            + "\n" + string.Join("\n", Requests.Select(static r => r.ToString()));
    }

    private static readonly string[] RuleHosts =
        ["a.x", "b.x", "c.a.x", "A.X", "*.x", "*.a.x", "*.c.a.x", "x", "*", "*.b.x", "a.x.", "[::1]", "*.X", "*.a..x"];

    private static readonly string[] RequestHosts =
        ["a.x", "A.x:80", "b.x.", "c.a.x", "d.c.a.x", "e.d.c.a.x:1", "x", "y", "", ".x", "..x", "ax", "[::1]:8080", "[::1]", "a..x", "b.a..x", "C.A.X.:443"];

    private static readonly string[] Segments =
        ["a", "b", "ab", "a%62", "%61", "..", ".", "%2e%2E", "%2e", "", "a%2Fb", "..%2fa", "a%2fb", "..;x", "a;x", "b\\a", "%5c", "...", "%zz", "%c3%a9", "a.b", ".a", "%2", "%", "A"];

    private static readonly string[] PlainSegments = ["a", "b", "ab", "c", "A", "a.b"];

    private static readonly string[] Patterns = ["^/a", "b$", "/a/", "^/(a|b)+$", ".*", "%2F", "//", "^/$", "[.]"];
    private static readonly string[] Methods = ["GET", "HEAD", "POST", "get"];
    private static readonly string[] Names = ["x", "X", "y"];
    private static readonly string[] Values = ["1", "2", "", "a b", "A"];
    private static readonly string[] QueryParts = ["x=1", "x=%31", "x", "x=", "X=2", "y=a+b", "y=a%20b", "%78=2", "", "y=A", "x=1=2", "y=%zz", "y=é"];

    private static readonly Gen<string> Path =
        from messy in Gen.Choose(0, 2)
        from segments in Gen.Elements(messy == 0 ? Segments : PlainSegments).ListOf(messy == 0 ? 4 : 3)
        from count in Gen.Choose(0, messy == 0 ? 4 : 3)
        from end in Gen.Elements("", "", "/")
        select "/" + string.Join('/', segments.Take(count)) + end;

    private static readonly Gen<ValueCondition> Condition =
        from kind in Gen.Elements(ValueConditionKind.Equals, ValueConditionKind.Equals, ValueConditionKind.Regex, ValueConditionKind.Present, ValueConditionKind.Absent)
        from name in Gen.Elements(Names)
        from value in Gen.Elements(kind == ValueConditionKind.Regex ? ["^1", ".", "a b"] : Values)
        select new ValueCondition(name, kind, value);

    private static readonly Gen<RouteRule<string>> Rule =
        from hosts in Few(Gen.Elements(RuleHosts), 3)
        from kind in Gen.Elements(PathKind.Any, PathKind.Exact, PathKind.Exact, PathKind.Prefix, PathKind.Prefix, PathKind.Prefix, PathKind.Regex)
        from path in kind == PathKind.Regex ? Gen.Elements(Patterns) : Path
        from methods in Few(Gen.Elements(Methods), 2)
        from headers in Few(Condition, 2)
        from query in Few(Condition, 2)
        select new RouteRule<string>("", "") { Hosts = hosts, PathKind = kind, Path = path, Methods = methods, Headers = headers, Query = query };

    private static readonly Gen<TestRequest> Request =
        from host in Gen.Elements(RequestHosts)
        from path in Gen.Frequency((20, Path), (1, Gen.Constant("*")), (1, Gen.Constant("")))
        from method in Gen.Elements(Methods)
        from names in Few(Gen.Elements(Names), 2)
        from values in Gen.Elements(Values).ListOf(2)
        from query in Few(Gen.Elements(QueryParts), 3)
        select new TestRequest(method, host, path, string.Join('&', query), [.. names.Zip(values)]);

    // Mostly none: a table full of conditions matches nothing.
    private static Gen<T[]> Few<T>(Gen<T> gen, int most) =>
        from count in Gen.Frequency((3, Gen.Constant(0)), (2, Gen.Choose(1, most)))
        from items in gen.ListOf(count)
        select items.ToArray();

    public static Arbitrary<Case> Cases(int mostRules, int requests) => Arb.From(
        from count in Gen.Choose(0, mostRules)
        from rules in Rule.ListOf(count)
        from asked in Request.ListOf(requests)
        select new Case([.. rules.Select(static (r, i) => r with { Name = $"r{i}", Target = $"r{i}" })], [.. asked]),
        static c => Smaller(c));

    /// <summary>Many rules that only conditions tell apart.</summary>
    public static Arbitrary<Case> OnePathCases() => Arb.From(
        from count in Gen.Choose(0, 80)
        from path in Gen.Elements(PathKind.Any, PathKind.Exact, PathKind.Prefix)
        from rules in Rule.ListOf(count)
        from headers in Condition.ListOf(2 * count)
        from asked in Request.ListOf(12)
        select new Case(
            [.. rules.Select((r, i) => r with { Name = $"r{i}", Target = $"r{i}", Hosts = [], PathKind = path, Path = "/a", Headers = [.. headers.Skip(2 * i).Take(i % 4 == 0 ? r.Headers.Count : 2)] })],
            [.. asked.Select(static r => new TestRequest(r.Method, r.Host.ToString(), "/a", r.RawQuery.ToString(), r.Headers))]),
        static c => Smaller(c));

    private static IEnumerable<Case> Smaller(Case c)
    {
        if (c.Requests.Length > 1)
            foreach (TestRequest request in c.Requests) yield return c with { Requests = [request] };
        for (int i = 0; i < c.Rules.Length; i++) yield return c with { Rules = [.. c.Rules[..i], .. c.Rules[(i + 1)..]] };
    }
}
