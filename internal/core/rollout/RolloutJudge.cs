namespace Gateway.Core.Rollout;

/// <summary>
/// Judges a candidate by what becomes of its requests and of those beside it, step by step, and says as soon as it is worse. Of candidates
/// that are not, at most alpha are returned for each gate, over the whole rollout, all routes and any number of looks. It holds that as long
/// as chance decides which requests the candidate gets: where a key keeps clients with a variant, requests of one client are not
/// independent, and few clients with many requests each can look like a difference. Pure: no clock, no randomness. Not thread safe.
/// </summary>
/// <remarks>
/// Each gate's alpha is shared (Bonferroni): all requests together have four fifths, for that is where small differences show, each route an
/// equal part of the rest, and requests that find no route a hundredth of the whole. With one route all requests are that route. The gates'
/// own alphas add up, so what is asked of all gates together is shared among them where they are set.
/// Steps should be short (a second): rates may drift from step to step but not within one while the share changes. A share should only
/// rise: requests are counted when they end, so after a fall the candidate has more than its share of those that take long.
/// </remarks>
public sealed class RolloutJudge
{
    public const string ErrorRateGateName = "errorRate";
    public const string LatencyGateName = "latency";
    public const string ClientErrorGateName = "clientErrors";

    private const double OfNoRoute = 0.01;
    private const double OfRoutes = 0.2;

    private readonly RolloutGates _gates;
    private readonly Subject _all;
    private readonly Dictionary<string, Subject> _routes = new(StringComparer.Ordinal);
    private readonly double _ofRoute;
    private int _routesLeft;
    private RolloutEvidence? _worse;

    /// <param name="gates">What is judged.</param>
    /// <param name="routes">How many names of routes there may be in steps, 1 at least; names beyond that are judged with all requests alone.</param>
    public RolloutJudge(RolloutGates gates, int routes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(routes, 1);
        Check(gates);
        _gates = gates;
        double ofAll = routes == 1 ? 1 - OfNoRoute : 1 - OfNoRoute - OfRoutes;
        _ofRoute = routes == 1 ? 0 : OfRoutes / routes;
        _routesLeft = routes;
        _all = new Subject(RouteCounts.All, gates, ofAll);
    }

    /// <summary>Judges what has come since the last step. Once a candidate is worse it stays so, with the evidence of that step.</summary>
    /// <param name="all">All requests.</param>
    /// <param name="routes">By route; names that were in no step before are new routes.</param>
    public RolloutVerdict Add(RouteCounts all, IReadOnlyList<RouteCounts> routes)
    {
        _all.Add(all, routes.FirstOrDefault(static r => r.Route == RouteCounts.NoRoute));
        foreach (RouteCounts route in routes) SubjectOf(route.Route)?.Add(route, null);
        _worse ??= Worse();
        long samples = _all.Counts.Canary.Requests;
        return new RolloutVerdict(_worse, samples >= _gates.MinSamples, samples);
    }

    private static void Check(RolloutGates gates)
    {
        foreach (double alpha in (double[])[gates.ErrorRate?.Alpha ?? 0.5, gates.Latency?.Alpha ?? 0.5, gates.ClientErrors?.Alpha ?? 0.5])
            if (!(alpha is > 0 and < 1)) throw new ArgumentOutOfRangeException(nameof(gates), alpha, "An alpha is over 0 and below 1.");
        if (gates.Latency is { } latency && !(latency is { Factor: >= 1 and < 1e6, Floor: >= 0 }))
            throw new ArgumentOutOfRangeException(nameof(gates), latency, "A factor is at least 1, and a floor no less than 0.");
        if (gates.ClientErrors is { } errors && !(errors.MaxDifference is >= 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(gates), errors, "Shares differ by 0 to 1.");
    }

    private Subject? SubjectOf(string name)
    {
        if (_routes.TryGetValue(name, out Subject? known)) return known;
        bool isNone = name == RouteCounts.NoRoute;
        if (!isNone && _routesLeft-- <= 0) return null;
        Subject subject = new(name, isNone ? _gates with { Latency = null, ClientErrors = null } : _gates, isNone ? OfNoRoute : _ofRoute);
        _routes.Add(name, subject);
        return subject;
    }

    private RolloutEvidence? Worse()
    {
        foreach ((string gate, Func<Subject, IGateTest?> testOf) in ((string, Func<Subject, IGateTest?>)[])
            [(ErrorRateGateName, static s => s.Errors), (LatencyGateName, static s => s.Latency?.Nearest), (ClientErrorGateName, static s => s.ClientErrors)])
        {
            // A route's own verdict first: it says more than all together.
            Subject? worse = _routes.Values.FirstOrDefault(s => testOf(s) is { IsWorse: true }) ?? (testOf(_all) is { IsWorse: true } ? _all : null);
            if (worse is null) continue;
            IGateTest test = testOf(worse)!;
            // Of whom there is most more than there should be.
            Subject shown = worse != _all ? worse : _routes.Values.Where(s => testOf(s) is not null && s.Counts.Route != RouteCounts.NoRoute).MaxBy(s => testOf(s)!.Excess) ?? _all;
            return new RolloutEvidence(shown.Counts.Route, gate, worse.Counts.Route, shown.Counts, Math.Exp(test.LogEvidence), test.PValue);
        }
        return null;
    }

    /// <summary>All requests, or those of a route.</summary>
    private sealed class Subject(string name, RolloutGates gates, double share)
    {
        public RouteCounts Counts { get; private set; } = new(name, VariantCounts.Zero, VariantCounts.Zero);

        /// <summary>Null when they are not judged.</summary>
        public ComparisonTest? Errors { get; } = gates.ErrorRate is { } errors ? new ComparisonTest(errors.Alpha * share) : null;

        /// <inheritdoc cref="Errors"/>
        public LatencyComparison? Latency { get; } = gates.Latency is { } latency ? new LatencyComparison(latency.Alpha * share, latency) : null;

        /// <inheritdoc cref="Errors"/>
        public ClientErrorComparison? ClientErrors { get; } = gates.ClientErrors is { } errors ? new ClientErrorComparison(errors.Alpha * share, errors) : null;

        /// <param name="step">What has come.</param>
        /// <param name="lost">Those of it that found no route; null for none.</param>
        public void Add(RouteCounts step, RouteCounts? lost)
        {
            Counts = new RouteCounts(Counts.Route, Counts.Stable.Plus(step.Stable), Counts.Canary.Plus(step.Canary));
            Errors?.Add(Table.Of(step.Canary.Requests, step.Canary.Failures, step.Stable.Requests, step.Stable.Failures));
            Latency?.Add(step.Stable, step.Canary);
            ClientErrors?.Add(step.Stable, step.Canary, lost?.Stable.Failures ?? 0, lost?.Canary.Failures ?? 0);
        }
    }
}
