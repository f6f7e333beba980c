using Gateway.Core.Rollout;

namespace Gateway.DataPlane.Runtime;

/// <summary>
/// What became of the requests of a canary and of those beside it, by route. A route is read by its name once there was room for it, the
/// busiest first; what the others count is moved into <see cref="RouteCounts.Other"/> at each reading. So no count ever goes down, and their
/// sum is exact. Thread safe.
/// </summary>
internal sealed class CanaryCounts
{
    /// <summary>The most routes that a reading has by name: its size and the judge's work are bounded by it.</summary>
    public const int MostNamed = 100;

    private sealed class Route(string name)
    {
        public string Name { get; } = name;
        public VariantCounter Stable { get; } = new();
        public VariantCounter Canary { get; } = new();
        public bool Named { get; set; }
        public long Requests { get; set; }
    }

    private readonly Lock _reading = new();
    private readonly Route[] _routes;
    private readonly Dictionary<RouteModel, Route> _byModel = new(ReferenceEqualityComparer.Instance);
    private readonly Route _none = new(RouteCounts.NoRoute);
    private readonly double _tick;
    private VariantCounts _otherStable = VariantCounts.Zero, _otherCanary = VariantCounts.Zero;

    public CanaryCounts(RouteModel[] live, RouteModel[] candidate, TimeProvider time)
    {
        _tick = 1.0 / time.TimestampFrequency;
        Dictionary<string, Route> byName = new(live.Length, StringComparer.Ordinal);
        foreach (RouteModel[] routes in (RouteModel[][])[live, candidate])
        {
            foreach (RouteModel route in routes)
            {
                if (!byName.TryGetValue(route.Name, out Route? counted)) byName.Add(route.Name, counted = new Route(route.Name));
                _byModel.Add(route, counted);
            }
        }
        _routes = [.. byName.Values];
    }

    /// <summary>Counts a request that has ended, or that has become a tunnel.</summary>
    public void Record(RequestContext request, long endedAt)
    {
        Route route = request.Route is { } matched && _byModel.TryGetValue(matched, out Route? known) ? known : _none;
        long until = request.UpstreamHeadersAt != 0 ? request.UpstreamHeadersAt : endedAt;
        (request.Variant == Variant.Canary ? route.Canary : route.Stable).Record(OutcomeOf(request), (until - request.StartedAt) * _tick);
    }

    /// <summary>All requests, and the routes as <c>CanaryReading.Routes</c> has them.</summary>
    public (RouteCounts All, List<RouteCounts> Routes) Read()
    {
        lock (_reading)
        {
            Name_NeedsLock();
            List<RouteCounts> routes = [];
            VariantCounts stable = _none.Stable.Read(take: false, out long stableLost), canary = _none.Canary.Read(take: false, out long canaryLost);
            foreach (Route route in _routes)
            {
                VariantCounts stableRead = route.Stable.Read(!route.Named, out _), canaryRead = route.Canary.Read(!route.Named, out _);
                if (route.Named)
                {
                    routes.Add(new RouteCounts(route.Name, stableRead, canaryRead));
                    stable = stable.Plus(stableRead);
                    canary = canary.Plus(canaryRead);
                }
                else if (stableRead.Requests + canaryRead.Requests > 0)
                {
                    _otherStable = _otherStable.Plus(stableRead);
                    _otherCanary = _otherCanary.Plus(canaryRead);
                }
            }
            stable = stable.Plus(_otherStable);
            canary = canary.Plus(_otherCanary);
            if (stableLost + canaryLost > 0) routes.Insert(0, new RouteCounts(RouteCounts.NoRoute, Lost(stable, stableLost), Lost(canary, canaryLost)));
            if (_otherStable.Requests + _otherCanary.Requests > 0) routes.Add(new RouteCounts(RouteCounts.Other, _otherStable, _otherCanary));
            return (new RouteCounts(RouteCounts.All, stable, canary), routes);
        }
    }

    private void Name_NeedsLock()
    {
        List<Route> waiting = [];
        int named = 0;
        foreach (Route route in _routes)
        {
            if (route.Named) named++;
            else if (route.Name != RouteCounts.Other && (route.Requests = route.Stable.Requests + route.Canary.Requests) > 0) waiting.Add(route);
        }
        if (named + waiting.Count > MostNamed) waiting.Sort(static (a, b) => b.Requests.CompareTo(a.Requests));
        foreach (Route route in waiting.Take(MostNamed - named)) route.Named = true;
    }

    private static VariantCounts Lost(VariantCounts all, long lost) => VariantCounts.Of(all.Requests, lost, 0, 0, 0, new long[LatencyBuckets.Count]);

    private static VariantOutcome OutcomeOf(RequestContext request) => request.Category switch
    {
        ErrorCategory.None => request.Status >= 500 ? VariantOutcome.Failure : request.Status >= 400 ? VariantOutcome.ClientError : VariantOutcome.Fine,
        ErrorCategory.ClientClosed => VariantOutcome.Cancelled,
        ErrorCategory.NoRoute => VariantOutcome.NoRoute,
        ErrorCategory.RateLimited => VariantOutcome.Limited,
        // A status of the error's own (501 for a method) does not make it anybody else's fault.
        var category => ErrorCategories.Of(category).Status >= 500 ? VariantOutcome.Failure : VariantOutcome.Refusal,
    };
}
