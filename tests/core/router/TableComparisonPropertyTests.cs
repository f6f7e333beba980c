using System.Text.RegularExpressions;
using FsCheck;
using FsCheck.Fluent;
using Gateway.Core.Router;
using Gateway.Core.Router.Compare;

namespace Gateway.Core.Tests.Router;

/// <summary>The claimed difference of two random tables against what they do with random requests: nothing missing, nothing invented.</summary>
public sealed class TableComparisonPropertyTests
{
    private const int Rounds = 1500;

    private int _differed, _agreed, _undecided, _claims;

    [Fact]
    public void TheClaimedDifference_IsWhatSampledRequestsShow()
    {
        var cases = Arb.From(
            from first in RouterGenerators.Cases(mostRules: 10, requests: 30).Generator
            from second in RouterGenerators.Cases(mostRules: 10, requests: 0).Generator
            from edits in Gen.Choose(0, 3)
            from at in Gen.Choose(0, 9).ListOf(3)
            from kinds in Gen.Elements("replace", "remove", "retarget", "add", "move").ListOf(3)
            select (Before: first.Rules, After: Edited(first.Rules, second.Rules, [.. at.Take(edits)], [.. kinds]), first.Requests));
        Prop.ForAll(cases, c => Check(c.Before, c.After, c.Requests)).Check(Config.QuickThrowOnFailure.WithMaxTest(Rounds));
        // Of pairs that are all equal, or all undecided, the test would say little.
        Assert.True(_differed > Rounds / 2 && _agreed > Rounds && _undecided < _differed / 4, $"{_differed} differed, {_agreed} agreed, {_undecided} undecided, {_claims} claims");
    }

    private static RouteRule<string>[] Edited(RouteRule<string>[] rules, RouteRule<string>[] others, int[] at, string[] kinds)
    {
        List<RouteRule<string>> edited = [.. rules];
        for (int i = 0; i < at.Length; i++)
        {
            RouteRule<string>? other = at[i] < others.Length ? others[at[i]] with { Name = $"n{at[i]}{i}", Target = $"n{at[i]}{i}" } : null;
            int place = edited.Count == 0 ? 0 : at[i] % edited.Count;
            if (kinds[i] == "add" && other is not null) edited.Insert(place, other);
            if (edited.Count == 0) continue;
            RouteRule<string> old = edited[place];
            switch (kinds[i])
            {
                case "replace" when other is not null: edited[place] = other with { Name = old.Name, Target = old.Target }; break;
                case "remove": edited.RemoveAt(place); break;
                case "retarget": edited[place] = old with { Target = old.Name + "'" }; break;
                case "move":
                    edited.RemoveAt(place);
                    edited.Insert(edited.Count / 2, old);
                    break;
            }
        }
        return [.. edited];
    }

    private void Check(RouteRule<string>[] rulesBefore, RouteRule<string>[] rulesAfter, TestRequest[] requests)
    {
        RouteTable<string> before = RouteTable<string>.Compile(rulesBefore), after = RouteTable<string>.Compile(rulesAfter);
        TableDifference<string> difference = TableComparison<string>.Compare(before, after, static (a, b) => a == b, int.MaxValue);
        Assert.True(difference.IsComplete);
        foreach (RequestClass<string> claim in difference.Classes)
        {
            _claims++;
            Assert.NotEqual(claim.Before, claim.After);
            Assert.Equal((claim.Before, claim.After), (before.Match(claim.Witness), after.Match(claim.Witness)));
        }
        foreach (TestRequest request in requests)
        {
            string path = request.RawPath.ToString();
            if (!path.StartsWith('/') || NaiveRouter.StrictPath(path) != NaiveRouter.LaxPath(path)) continue;
            string? was = before.Match(request), now = after.Match(request);
            RequestClass<string>[] claims = [.. difference.Classes.Where(c => Contains(c, request, was, now))];
            if (was == now)
            {
                _agreed++;
                Assert.True(claims.Length == 0, $"{request} goes to {was} before and after, yet is in {claims.FirstOrDefault()}\n{Dump(rulesBefore, rulesAfter)}");
            }
            else if (difference.Undecided.Any(u => u.Before == was && u.After == now))
            {
                _undecided++;
            }
            else
            {
                _differed++;
                Assert.True(claims.Length == 1, $"{request} goes from {was} to {now} and is in {claims.Length} classes\n{string.Join('\n', difference.Classes)}\n{Dump(rulesBefore, rulesAfter)}");
                Assert.Equal((was, now), (claims[0].Before, claims[0].After));
            }
        }
    }

    // By the words of RequestClass alone, with the naive router's notions of host and path.
    private static bool Contains(RequestClass<string> c, TestRequest request, string? was, string? now)
    {
        string path = NaiveRouter.StrictPath(request.RawPath.ToString());
        var conditions = new RouteRule<string>("c", "c")
        {
            Hosts = [.. c.Conditions.Hosts],
            PathKind = c.Conditions.PathKind,
            Path = c.Conditions.PathKind == PathKind.Prefix ? c.Conditions.Path + "/" : c.Conditions.Path,
            Methods = c.Conditions.Methods,
            Headers = c.Conditions.Headers,
            Query = c.Conditions.Query,
        };
        return new NaiveRouter([conditions]).Match(request.Method, request.Host.ToString(), request.RawPath.ToString(), request.RawQuery.ToString(), request.HeaderValues) is not null
            && c.Conditions.PathPatterns.All(p => Regex.IsMatch(path, p, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant))
            && !(was is not null && was != c.Before && c.ExceptBefore.Names.Contains(was.TrimEnd('\''))) && !(now is not null && now != c.After && c.ExceptAfter.Names.Contains(now.TrimEnd('\'')));
    }

    private static string Dump(RouteRule<string>[] before, RouteRule<string>[] after) =>
        $"before:\n{new RouterGenerators.Case(before, [])}after:\n{new RouterGenerators.Case(after, [])}";
}
