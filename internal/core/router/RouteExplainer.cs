namespace Gateway.Core.Router;

/// <summary>
/// Says why the rules of a table won or lost. It walks the tables that <see cref="RouteTable{T}.Match{TRequest}(in TRequest)"/> walks, in
/// the same order, and asks the same conditions; who won is told by the match itself.
/// </summary>
internal ref struct RouteExplainer<T>(CompiledRule<T>[] rules, HostTable<T> hosts, int limit)
    where T : class
{
    private readonly record struct Asked(CompiledRule<T> Rule, int Level, string Host);

    private readonly List<Asked> _asked = [];
    private readonly HashSet<CompiledRule<T>> _seen = [];
    private readonly List<RouteCandidate> _candidates = [];

    /// <param name="winner">What the match chose; null for nothing.</param>
    /// <param name="refused">What it would have chosen, had the path one reading only.</param>
    /// <param name="path">In the form that the match used; empty for none.</param>
    public readonly IReadOnlyList<RouteCandidate> Explain<TRequest>(CompiledRule<T>? winner, CompiledRule<T>? refused, ReadOnlySpan<char> path, ref TRequest request)
        where TRequest : struct, IRouteRequest, allows ref struct
    {
        List<(string Host, HostRoutes<T> Routes)> levels = hosts.Levels(HostName.OfRequest(request.Host));
        Walk(levels, path);
        Asked best = _asked.Find(a => a.Rule == (winner ?? refused));
        foreach (Asked asked in _asked)
        {
            if (_candidates.Count < limit || asked.Rule == winner) _candidates.Add(Judge(asked, best, refused is not null, path, ref request));
        }
        OtherPaths(levels, path);
        foreach (CompiledRule<T> rule in rules)
        {
            if (_candidates.Count >= limit) break;
            if (_seen.Add(rule)) _candidates.Add(new RouteCandidate(rule.Rule.Name, RouteVerdict.Host, $"the host is \"{HostName.OfRequest(request.Host)}\"; the route is for {LossText.Names(rule.Rule.Hosts)}"));
        }
        return _candidates;
    }

    private readonly void Walk(List<(string Host, HostRoutes<T> Routes)> levels, ReadOnlySpan<char> path)
    {
        var order = new List<CompiledRule<T>>();
        for (int level = 0; level < levels.Count; level++)
        {
            order.Clear();
            levels[level].Routes.AskedFor(path, order);
            // A rule with several hosts counts where it is asked first.
            foreach (CompiledRule<T> rule in order)
                if (_seen.Add(rule)) _asked.Add(new Asked(rule, level, levels[level].Host));
        }
    }

    private static RouteCandidate Judge<TRequest>(Asked asked, Asked best, bool refused, ReadOnlySpan<char> path, ref TRequest request)
        where TRequest : struct, IRouteRequest, allows ref struct
    {
        CompiledRule<T> rule = asked.Rule;
        (RouteVerdict verdict, string reason) = rule.FailsAt(ref request, out int index) switch
        {
            RulePart.Method => (RouteVerdict.Method, $"the method is {request.Method}; the route is for {LossText.Names(rule.Rule.Methods)}"),
            RulePart.Header => (RouteVerdict.Header, LossText.Header(rule.Rule.Headers[index], ref request)),
            RulePart.Query => (RouteVerdict.Query, LossText.Query(rule.Rule.Query[index])),
            _ when rule.Pattern is { } pattern && !pattern.IsMatch(path) => (RouteVerdict.Path, LossText.Path(rule.Rule, path)),
            _ when rule != best.Rule => (RouteVerdict.Rank, $"it matches too, but route '{best.Rule.Rule.Name}' comes first: {WhyFirst(best, asked)}"),
            _ when refused => (RouteVerdict.TwoReadings, "its path can be read in two ways that choose different routes, so it matches none"),
            _ => (RouteVerdict.Won, Won(asked)),
        };
        return new RouteCandidate(rule.Rule.Name, verdict, reason);
    }

    // The rules of the same hosts whose path is another one; what they share with the request's most first.
    private readonly void OtherPaths(List<(string Host, HostRoutes<T> Routes)> levels, ReadOnlySpan<char> path)
    {
        string text = path.ToString();
        foreach ((_, HostRoutes<T> routes) in levels)
        {
            if (_candidates.Count >= limit) return;
            var others = new List<CompiledRule<T>>();
            foreach (CompiledRule<T> rule in routes.All.Span)
                if (_seen.Add(rule)) others.Add(rule);
            foreach (CompiledRule<T> rule in others.OrderByDescending(r => r.Path.AsSpan().CommonPrefixLength(text)).ThenBy(static r => r.Order).Take(limit - _candidates.Count))
                _candidates.Add(new RouteCandidate(rule.Rule.Name, RouteVerdict.Path, LossText.Path(rule.Rule, path)));
        }
    }

    private static string Won(Asked asked)
    {
        string host = asked.Host == HostGroups<T>.AnyHost ? "any host" : $"host {asked.Host}";
        return $"{host}, {LossText.PathOf(asked.Rule.Rule)}; all of its conditions hold";
    }

    private static string WhyFirst(Asked first, Asked other)
    {
        (RouteRule<T> a, RouteRule<T> b) = (first.Rule.Rule, other.Rule.Rule);
        if (first.Level != other.Level) return $"its host {first.Host} is nearer than {other.Host}";
        if (a.PathKind != b.PathKind) return $"{LossText.PathOf(a)} comes before {LossText.PathOf(b)}";
        if (first.Rule.Path.Length != other.Rule.Path.Length && a.PathKind == PathKind.Prefix) return "its prefix is longer";
        if (a.PathKind != PathKind.Regex)
        {
            if (a.Methods.Count == 0 != (b.Methods.Count == 0)) return "it has a condition on the method";
            if (a.Headers.Count != b.Headers.Count) return "it has more conditions on header fields";
            if (a.Query.Count != b.Query.Count) return "it has more conditions on query parameters";
        }
        else if (a.Methods.Count == 0 != (b.Methods.Count == 0) || a.Headers.Count != b.Headers.Count || a.Query.Count != b.Query.Count)
        {
            return "it has more conditions";
        }
        return "it stands earlier in the document";
    }
}
