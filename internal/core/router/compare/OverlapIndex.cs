namespace Gateway.Core.Router.Compare;

/// <summary>A rule on one of its hosts.</summary>
internal readonly record struct PlacedRule<T>(string Host, CompiledRule<T> Rule)
    where T : class
{
    /// <summary>Whether it is asked before the other for a request that both match on these hosts.</summary>
    public bool Precedes(PlacedRule<T> other)
    {
        int result = HostSpan.Rank(Host).CompareTo(HostSpan.Rank(other.Host));
        if (result == 0) result = PathRank(Rule).CompareTo(PathRank(other.Rule));
        return result != 0 ? result > 0 : Rule.CompareTo(other.Rule) < 0;
    }

    private static int PathRank(CompiledRule<T> rule) => rule.Rule.PathKind switch
    {
        PathKind.Exact => int.MaxValue,
        PathKind.Prefix => rule.Path.Length + 2,
        PathKind.Regex => 1,
        _ => 0,
    };
}

/// <summary>Finds the rules of a table that may match requests for some hosts and paths, without looking at the others.</summary>
internal sealed class OverlapIndex<T>(HostTable<T> hosts)
    where T : class
{
    private readonly List<(string Host, HostRoutes<T> Routes)> _all = hosts.All();

    /// <summary>Adds the rules of which the host and the path, regular expressions apart, can be those of one request with the given ones.</summary>
    public void Find(string host, PathSpan path, List<PlacedRule<T>> to)
    {
        if (!HostSpan.IsAny(host) && !HostSpan.IsWildcard(host))
        {
            foreach ((string level, HostRoutes<T> routes) in hosts.Levels(host)) Find(level, routes.All.Span, path, to);
            return;
        }
        foreach ((string level, HostRoutes<T> routes) in _all)
            if (HostSpan.Intersect(level, host) is not null) Find(level, routes.All.Span, path, to);
    }

    private static void Find(string host, ReadOnlySpan<CompiledRule<T>> rules, PathSpan path, List<PlacedRule<T>> to)
    {
        // Those with a path come first, in ordinal order of it: what lies under a text is one stretch, and what it lies under is found by its beginnings.
        int paths = rules.Length;
        while (paths > 0 && rules[paths - 1].Rule.PathKind is PathKind.Regex or PathKind.Any) paths--;
        ReadOnlySpan<CompiledRule<T>> sorted = rules[..paths];
        for (int i = LowerBound(sorted, path.Text); i < sorted.Length && sorted[i].Path.StartsWith(path.Text, StringComparison.Ordinal); i++)
        {
            CompiledRule<T> rule = sorted[i];
            if (rule.Path.Length == path.Text.Length || (!path.IsExact && rule.Path[path.Text.Length] == '/')) to.Add(new PlacedRule<T>(host, rule));
        }
        for (int end = path.Text.Length; end > 0;)
        {
            end = path.Text.LastIndexOf('/', end - 1);
            if (end < 0) break;
            string above = path.Text[..end];
            for (int i = LowerBound(sorted, above); i < sorted.Length && sorted[i].Path == above; i++)
                if (sorted[i].Rule.PathKind == PathKind.Prefix) to.Add(new PlacedRule<T>(host, sorted[i]));
        }
        foreach (CompiledRule<T> rule in rules[paths..]) to.Add(new PlacedRule<T>(host, rule));
    }

    private static int LowerBound(ReadOnlySpan<CompiledRule<T>> sorted, string path)
    {
        int low = 0, high = sorted.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (string.CompareOrdinal(sorted[middle].Path, path) < 0) low = middle + 1;
            else high = middle;
        }
        return low;
    }
}
