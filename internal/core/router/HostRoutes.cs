namespace Gateway.Core.Router;

/// <summary>
/// The routes of one host, of one wildcard, or of any host. Depends on nothing but the rules given, so that a later table can take it over
/// when they are the same.
/// </summary>
internal sealed class HostRoutes<T>
    where T : class
{
    private readonly PathNode<T>? _paths;
    private readonly CompiledRule<T>[]? _regexes;
    private readonly RuleList<T>? _anyPath;

    private HostRoutes(PathNode<T>? paths, CompiledRule<T>[]? regexes, RuleList<T>? anyPath)
    {
        _paths = paths;
        _regexes = regexes;
        _anyPath = anyPath;
    }

    /// <summary>Sorts <paramref name="rules"/> in place.</summary>
    public static HostRoutes<T> Build(Span<CompiledRule<T>> rules, PathTreeBuilder<T> builder)
    {
        rules.Sort(static (a, b) =>
        {
            int result = Group(a).CompareTo(Group(b));
            if (result != 0) return result;
            if (Group(a) == 0)
            {
                result = string.CompareOrdinal(a.Path, b.Path);
                if (result == 0) result = a.Rule.PathKind.CompareTo(b.Rule.PathKind);
            }
            return result != 0 ? result : a.CompareTo(b);
        });
        int paths = 0;
        while (paths < rules.Length && Group(rules[paths]) == 0) paths++;
        int regexes = paths;
        while (regexes < rules.Length && Group(rules[regexes]) == 1) regexes++;
        return new HostRoutes<T>(
            builder.Build(rules[..paths]),
            regexes == paths ? null : rules[paths..regexes].ToArray(),
            regexes == rules.Length ? null : new RuleList<T>(rules[regexes..]));
    }

    /// <summary>The best rule whose conditions all hold; null for none.</summary>
    /// <param name="path">In one of its forms; empty for a target that is not a path.</param>
    public CompiledRule<T>? Find<TRequest>(scoped ReadOnlySpan<char> path, ref TRequest request)
        where TRequest : struct, IRouteRequest, allows ref struct
    {
        if (path.Length != 0)
        {
            if (_paths is not null)
            {
                PathNode<T>? prefix = PathNode<T>.Walk(_paths, path, out PathNode<T>? exact);
                if (exact is not null && exact.Exact!.First(ref request) is { } byExactPath) return byExactPath;
                for (; prefix is not null; prefix = prefix.ShorterPrefix)
                    if (prefix.Prefix!.First(ref request) is { } byPrefix) return byPrefix;
            }
            if (_regexes is not null)
            {
                foreach (CompiledRule<T> rule in _regexes)
                    if (rule.Holds(ref request) && rule.Pattern!.IsMatch(path)) return rule;
            }
        }
        return _anyPath?.First(ref request);
    }

    private static int Group(CompiledRule<T> rule) => rule.Rule.PathKind switch
    {
        PathKind.Exact or PathKind.Prefix => 0,
        PathKind.Regex => 1,
        _ => 2,
    };
}
