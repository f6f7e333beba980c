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

    private HostRoutes(ReadOnlyMemory<CompiledRule<T>> all, PathNode<T>? paths, CompiledRule<T>[]? regexes, RuleList<T>? anyPath)
    {
        All = all;
        _paths = paths;
        _regexes = regexes;
        _anyPath = anyPath;
    }

    /// <summary>Its rules: by path, then regular expressions, then those without path condition.</summary>
    public ReadOnlyMemory<CompiledRule<T>> All { get; }

    /// <summary>Sorts <paramref name="all"/> in place, and keeps it.</summary>
    public static HostRoutes<T> Build(Memory<CompiledRule<T>> all, PathTreeBuilder<T> builder)
    {
        Span<CompiledRule<T>> rules = all.Span;
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
            all,
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

    /// <summary>Adds the rules that <see cref="Find"/> asks for this path, in its order, all to the last; regular expressions whether they match or not.</summary>
    public void AskedFor(ReadOnlySpan<char> path, List<CompiledRule<T>> to)
    {
        if (path.Length != 0)
        {
            if (_paths is not null)
            {
                PathNode<T>? prefix = PathNode<T>.Walk(_paths, path, out PathNode<T>? exact);
                exact?.Exact!.AddTo(to);
                for (; prefix is not null; prefix = prefix.ShorterPrefix) prefix.Prefix!.AddTo(to);
            }
            if (_regexes is not null) to.AddRange(_regexes);
        }
        _anyPath?.AddTo(to);
    }

    private static int Group(CompiledRule<T> rule) => rule.Rule.PathKind switch
    {
        PathKind.Exact or PathKind.Prefix => 0,
        PathKind.Regex => 1,
        _ => 2,
    };
}
