using Gateway.Core.Router;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Server;

/// <summary>
/// Decides recorded requests by the live snapshot and by a candidate. By both, for what was decided when a request came may have been the
/// work of a snapshot before.
/// </summary>
internal sealed class Replay
{
    private const int MostExamples = 10;

    private readonly Dictionary<(RouteOutcome? Before, RouteOutcome? After), (DescribedRequest First, int Count)> _changes = [];
    private readonly SortedDictionary<string, int> _byKind = new(StringComparer.Ordinal);
    private int _requests, _changed;

    public static ReplayReport Run(ReadOnlySpan<RecordedRequest> requests, GatewaySnapshot live, GatewaySnapshot candidate)
    {
        var replay = new Replay();
        Dictionary<string, ListenerModel> before = live.Listeners.ToDictionary(static l => l.Name), after = candidate.Listeners.ToDictionary(static l => l.Name);
        foreach (RecordedRequest request in requests)
            if (before.TryGetValue(request.Listener, out ListenerModel? listener)) replay.Decide(request.Request, listener, after.GetValueOrDefault(request.Listener));
        return new ReplayReport(replay._requests, replay._changed, replay._byKind,
            [.. replay._changes.OrderByDescending(static c => c.Value.Count).Take(MostExamples).Select(static c => new ReplayExample(Shown(c.Value.First), c.Key.Before, c.Key.After, c.Value.Count))]);
    }

    private void Decide(in DescribedRequest request, ListenerModel before, ListenerModel? after)
    {
        _requests++;
        Decision was = Decision.Of(before, request), now = after is null ? default : Decision.Of(after, request);
        bool gone = after is null, route = was.Route?.Name != now.Route?.Name, pool = was.Pool != now.Pool, status = was.Status != now.Status;
        if (!gone && !route && !pool && !status) return;
        _changed++;
        if (gone) Count("listener");
        if (route) Count("route");
        if (pool) Count("pool");
        if (status) Count("status");
        (RouteOutcome?, RouteOutcome?) change = (Outcome(was), Outcome(now));
        _changes[change] = _changes.TryGetValue(change, out (DescribedRequest First, int Count) known) ? (known.First, known.Count + 1) : (request, 1);
    }

    private void Count(string kind) => _byKind[kind] = _byKind.GetValueOrDefault(kind) + 1;

    private static RouteOutcome? Outcome(in Decision decision) => decision.Route is null ? null : new RouteOutcome(decision.Route.Name, decision.Pool, decision.Status);

    // Parameters of a path may be sessions.
    private static string Shown(in DescribedRequest request) => $"{request.Method} {request.Scheme}://{request.HostText}{request.PathText.Split(';')[0]}";
}
