using Gateway.Core.Breaker;
using Gateway.Core.Pool;
using Gateway.Core.Retry;
using Gateway.Core.Router;

namespace Gateway.Bench.Micro.Cases;

/// <summary>
/// The operations of Gateway.Core whose allocation has a budget, by their name in section "core" of bench/budgets.json. The benchmarks
/// measure their time; tests/core measures their bytes at each <c>make test</c>. Other projects do the same with a file and a section of
/// their own.
/// </summary>
public static class CoreOperations
{
    /// <summary>Name, how often to run it, and what to run.</summary>
    public static IEnumerable<(string Name, int Times, Action Run)> All()
    {
        foreach (int count in new[] { 1, 1000, 100_000 })
        {
            foreach (RouteCase kind in Enum.GetValues<RouteCase>())
            {
                RouteTable<string> table = RouteTable<string>.Compile(RouteCases.Rules(count, kind));
                RouteCaseRequest request = RouteCases.Request(count, kind);
                if (table.Match(request) is null != (kind == RouteCase.Miss)) throw new InvalidOperationException($"{kind} is not what it says");
                yield return ($"RouteMatch.{kind}.{count}", 10_000, () => table.Match(request));
            }
        }

        RouteTable<string> conditions = RouteTable<string>.Compile(ConditionRules());
        var conditional = new ConditionalRequest();
        if (conditions.Match(conditional) != "all") throw new InvalidOperationException("the conditions do not hold");
        yield return ("RouteMatch.Conditions", 10_000, () => conditions.Match(conditional));

        RouteRule<string>[] rules = RouteCases.Rules(10_000, RouteCase.Prefix);
        yield return ("RouteCompile.10000", 3, () => RouteTable<string>.Compile(rules));

        foreach (BalancerKind kind in Enum.GetValues<BalancerKind>())
        {
            Balancer balancer = Balancers.Create(new Balancing(kind, BoundedLoad: 1.25), Members(16), PickRandom.PerThread, TimeProvider.System);
            yield return ($"Pick.{kind}", 10_000, () => balancer.Pick(new PickContext(0, PickRandom.PerThread.Next())));
            yield return ($"Pick.{kind}.Retry", 10_000, () => balancer.Pick(new PickContext(0b1010, PickRandom.PerThread.Next())));
        }

        var breaker = new CircuitBreaker(new BreakerSettings(), TimeProvider.System);
        yield return ("Breaker.Closed", 10_000, () => PassBreaker(breaker, BreakerOutcome.Success));
        var open = new CircuitBreaker(new BreakerSettings { Open = TimeSpan.FromHours(1) }, TimeProvider.System);
        for (int i = 0; i < 20; i++) PassBreaker(open, BreakerOutcome.Failure);
        yield return ("Breaker.Open", 10_000, () => PassBreaker(open, BreakerOutcome.Success));

        var budget = new RetryBudget(new RetryBudgetSettings(), TimeProvider.System.TimestampFrequency);
        yield return ("RetryBudget.Request", 10_000, () => budget.Request(TimeProvider.System.GetTimestamp()));
        yield return ("RetryBudget.TryTake", 10_000, () => budget.TryTake(TimeProvider.System.GetTimestamp()));
        var clients = new ClientBudgets(new RetryBudgetSettings(), TimeProvider.System.TimestampFrequency);
        yield return ("ClientBudgets.Request", 10_000, () => clients.Request(4711, TimeProvider.System.GetTimestamp()));
        var latency = new LatencyQuantile(0.95, TimeProvider.System.TimestampFrequency);
        yield return ("LatencyQuantile.Record", 10_000, () => latency.Record(12_345_678, TimeProvider.System.GetTimestamp()));
    }

    /// <summary>What a request does with the breaker of its route.</summary>
    public static void PassBreaker(CircuitBreaker breaker, BreakerOutcome outcome)
    {
        long now = TimeProvider.System.GetTimestamp();
        if (breaker.TryEnter(now, out BreakerPermit permit)) breaker.Leave(permit, outcome, now);
    }

    public static BalancerMember[] Members(int count)
    {
        var members = new BalancerMember[count];
        for (int i = 0; i < count; i++) members[i] = new BalancerMember(new EndpointLoad(), 1 + (i % 3), StableHash.Of((ulong)i, 1));
        return members;
    }

    /// <summary>Regular expressions on path, header and query, and a path and a value that need decoding, each long enough to leave the stack.</summary>
    private static RouteRule<string>[] ConditionRules() =>
    [
        new("all", "all")
        {
            Hosts = ["*.example.com"], PathKind = PathKind.Regex, Path = "^/items/.+/[0-9]+$", Methods = ["PUT", "GET"],
            Headers = [new("x-version", ValueConditionKind.Regex, "^v[0-9]+$"), new("x-debug", ValueConditionKind.Absent)],
            Query = [new("q", ValueConditionKind.Regex, "^(a b)+$"), new("page", ValueConditionKind.Equals, "2"), new("sort", ValueConditionKind.Present)],
        },
        new("post", "post") { Hosts = ["a.example.com"], Methods = ["POST"] },
    ];

    private readonly struct ConditionalRequest : IRouteRequest
    {
        private static readonly string Path = $"/items/%7e{new string('x', 1000)}/./4711";
        private static readonly string Query = $"page=%32&sort&q={string.Concat(Enumerable.Repeat("a%20b", 100))}";

        public ReadOnlySpan<char> Host => "a.example.com";
        public ReadOnlySpan<char> RawPath => Path;
        public ReadOnlySpan<char> RawQuery => Query;
        public string Method => "GET";

        public string? HeaderValue(string name, int index) => index == 0 && name == "x-version" ? "v12" : null;
    }
}
