using System.Text;
using Gateway.Config;
using Gateway.Core.Router;
using Gateway.Core.Router.Compare;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Gateway.DataPlane.Tests.Server;

/// <summary>
/// The claimed difference of two compiled documents (routes, pools, policies, answers, listeners) against what they do with sampled requests:
/// nothing missing, nothing invented. What is the same is decided by the words that the test wrote.
/// </summary>
public sealed class SnapshotComparisonTests
{
    private const int Rounds = 400, Requests = 40;

    private static readonly string[] Hosts = ["", "\"a.x\"", "\"*.x\"", "\"b.x\", \"a.x\""];
    private static readonly string[] Paths = ["", """ "path": { "prefix": "/a" }, """, """ "path": { "exact": "/a/b" }, """, """ "path": { "prefix": "/a/b" }, """, """ "path": { "prefix": "/" }, """, """ "path": { "prefix": "/a%2Fb" }, """];
    private static readonly string[] Conditions = ["", """ "methods": ["GET"], """, """ "methods": ["POST", "GET"], """, """ "headers": [{ "name": "x", "value": "1" }], """, """ "headers": [{ "name": "x", "present": false }], """];
    private static readonly string[] Actions = [""" "pool": "p" """, """ "pool": "q" """, """ "respond": { "status": 404 } """, """ "respond": { "status": 404, "body": "x" } """, """ "redirect": { "path": "/new", "status": 301 } """, """ "pool": "p", "timeouts": { "request": "5s" } """];
    private static readonly string[] Endpoints = ["", """{ "address": "127.0.0.1:1" }""", """{ "address": "127.0.0.1:2" }"""];
    private static readonly string[] Settings = ["", """, "limits": { "bodyBytes": 7 }""", """, "trustedProxies": ["10.0.0.0/8"]""", """, "http2": false"""];
    private static readonly string[] Elsewhere = ["", """, "accessLog": { "output": "off" }""", """, "history": { "keep": 7 }""", """, "overload": { "memoryPercent": 50 }"""];

    // What a client sends, and another reading of it; null for none.
    private static readonly (string Path, string? Other)[] Asked = [("/", null), ("/a", null), ("/a/", null), ("/a/b", null), ("/a/b/c", null), ("/ab", null), ("/a%2fb", "/a/b"), ("/a//b", "/a/b"), ("/a;v=1/b", "/a/b")];

    private sealed record Route(string Name, string Listeners, string Hosts, string Path, string Condition, string Action)
    {
        public string Json => $$"""{ "name": "{{Name}}", {{Listeners}} "match": { {{Path}} {{Condition}} "hosts": [{{Hosts}}] }, {{Action}} }""";
    }

    private sealed record Site(Route[] Routes, string P, string Q, string Web, string Elsewhere)
    {
        public string Json => $$"""
            { "version": "v1", "listeners": [ { "name": "web", "address": "127.0.0.1:0"{{Web}} }, { "name": "inner", "address": "127.0.0.1:0" } ],
              "routes": [ {{string.Join(", ", Routes.Select(static r => r.Json))}} ], "pools": { "p": { "endpoints": [{{P}}] }, "q": { "endpoints": [{{Q}}] } }{{Elsewhere}} }
            """;
    }

    private int _changed, _same, _undecided, _twoReadings, _equivalent;

    [Fact]
    public async Task TheClaimedDifference_IsWhatSampledRequestsShow()
    {
        await using DataPlaneHost host = new(new DataPlaneOptions("/", NullLoggerFactory.Instance, TimeProvider.System) { Transport = TransportKind.Sockets });
        for (int seed = 0; seed < Rounds; seed++)
        {
            Random random = new(seed);
            Site before = Make(random), after = Edit(before, random);
            Check(host, before, after, random, $"seed {seed}\n{before.Json}\n{after.Json}");
        }
        // Pairs that are all equal, or all undecided, would say little.
        Assert.True(_changed > 1000 && _same > 1000 && _undecided < _changed / 10 && _twoReadings > 50 && _equivalent > 20, $"{_changed} changed, {_same} same, {_undecided} undecided, {_twoReadings} with two readings, {_equivalent} pairs equivalent");
    }

    private static T One<T>(Random random, T[] of) => of[random.Next(of.Length)];

    private static Route MakeRoute(Random random, string name) =>
        new(name, random.Next(4) == 0 ? """ "listeners": ["inner"], """ : "", One(random, Hosts), One(random, Paths), One(random, Conditions), One(random, Actions));

    private static Site Make(Random random) =>
        new([.. Enumerable.Range(0, 1 + random.Next(5)).Select(i => MakeRoute(random, $"r{i}"))], One(random, Endpoints), One(random, Endpoints), One(random, Settings), One(random, Elsewhere));

    private static Site Edit(Site site, Random random)
    {
        for (int edits = random.Next(3); edits >= 0; edits--)
        {
            List<Route> routes = [.. site.Routes];
            int at = random.Next(routes.Count);
            switch (random.Next(8))
            {
                case 0: routes[at] = MakeRoute(random, routes[at].Name); break;
                case 1: routes[at] = routes[at] with { Action = One(random, Actions) }; break;
                case 2: routes.Insert(at, MakeRoute(random, $"n{edits}")); break;
                case 3 when routes.Count > 1: routes.RemoveAt(at); break;
                case 4: routes.Reverse(); break;
                case 5: site = site with { P = One(random, Endpoints) }; break;
                case 6: site = site with { Web = One(random, Settings) }; break;
                default: site = site with { Elsewhere = One(random, Elsewhere) }; break;
            }
            site = site with { Routes = [.. routes] };
        }
        return site;
    }

    private void Check(DataPlaneHost host, Site before, Site after, Random random, string what)
    {
        GatewaySnapshot old = Compile(host, before.Json), now = Compile(host, after.Json);
        SnapshotDifference difference = DataPlaneHost.Compare(old, now);
        bool meetsOther = before.Web != after.Web || (before.Elsewhere != after.Elsewhere && (before.Elsewhere + after.Elsewhere).Contains("overload", StringComparison.Ordinal));
        Assert.True(meetsOther == difference.Settings.Count > 0, what);
        if (difference.IsEquivalent) _equivalent++;
        for (int i = 0; i < Requests; i++)
        {
            string listener = random.Next(2) == 0 ? "web" : "inner";
            (string path, string? other) = One(random, Asked);
            DescribedRequest request = new(One(random, ["GET", "POST", "PUT"]), "http", One(random, ["a.x", "b.x", "c.a.x", "y"]), path, "", random.Next(2) == 0 ? [] : [new("x", One(random, ["1", "2"]))]);
            (Route? was, Route? isNow) = (Of(old, before, listener, request), Of(now, after, listener, request));
            bool changed = !Same(was, isNow, before, after);
            ListenerDifference? claimed = difference.Listeners.SingleOrDefault(l => l.Names.Contains(listener));
            OutcomeChange[] classes = [.. (claimed?.Changes ?? []).Where(c => Meets(c, request) && IsNotExcepted(c.ExceptBefore, c.Before, was) && IsNotExcepted(c.ExceptAfter, c.After, isNow))];
            if (changed) Assert.False(difference.IsEquivalent, $"{request.Target} changes\n{what}");
            if (other is not null)
            {
                if (!changed) continue;
                _twoReadings++;
                DescribedRequest plain = new(request.Method, "http", request.HostText, other, "", request.Headers);
                Assert.True((claimed?.Changes ?? []).Any(c => Meets(c, request) || Meets(c, plain)), $"{request.Target} changes, and neither of its readings is in a class\n{what}");
            }
            else if (!changed)
            {
                _same++;
                Assert.True(classes.Length == 0, $"{request.Method} {request.HostText}{request.Target} on {listener} is as it was, and in a class\n{what}");
            }
            else if (claimed!.Undecided.Any(u => u.Before == was?.Name && u.After == isNow?.Name)) _undecided++;
            else
            {
                _changed++;
                Assert.True(classes is [{ What.Count: > 0 }], $"{request.Method} {request.HostText}{request.Target} on {listener} goes from {was} to {isNow} and is in {classes.Length} classes\n{what}");
                Assert.Equal((was?.Name, isNow?.Name), (classes[0].Before?.Route, classes[0].After?.Route));
            }
        }
    }

    private static bool IsNotExcepted(RouteNames except, RouteOutcome? outcome, Route? route) => route is null || outcome?.Route == route.Name || !except.Names.Contains(route.Name);

    private static GatewaySnapshot Compile(DataPlaneHost host, string document)
    {
        ReadResult read = ConfigReader.ReadJson(Encoding.UTF8.GetBytes(document));
        Assert.True(read.Errors.Count == 0, $"{string.Join('\n', read.Errors)}\n{document}");
        return host.Compile(read.Config!, "v", "test").Snapshot!;
    }

    private static Route? Of(GatewaySnapshot snapshot, Site site, string listener, in DescribedRequest request)
    {
        string? name = Array.Find(snapshot.Listeners, l => l.Name == listener)!.Routes.Match(request)?.Name;
        return name is null ? null : Array.Find(site.Routes, r => r.Name == name);
    }

    private static bool Same(Route? was, Route? now, Site before, Site after) =>
        was?.Name == now?.Name && was?.Action == now?.Action
        && (was is null || !was.Action.Contains("\"p\"", StringComparison.Ordinal) || before.P == after.P) && (was is null || !was.Action.Contains("\"q\"", StringComparison.Ordinal) || before.Q == after.Q);

    private static bool Meets(OutcomeChange change, in DescribedRequest request)
    {
        RequestConditions conditions = change.Conditions;
        var rule = new RouteRule<string>("c", "c")
        {
            Hosts = [.. conditions.Hosts.Where(static h => h != "*")],
            PathKind = conditions.PathKind,
            Path = conditions.PathKind == PathKind.Prefix ? conditions.Path + "/" : conditions.Path,
            Methods = conditions.Methods,
            Headers = conditions.Headers,
            Query = conditions.Query,
        };
        if (conditions.Hosts.Contains("*")) rule = rule with { Hosts = [] };
        return RouteTable<string>.Compile([rule]).Match(request) is not null;
    }
}
