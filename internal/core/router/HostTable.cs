namespace Gateway.Core.Router;

/// <summary>Finds the routes of a request's host: exact names by hash, wildcards by label, then what is for any host.</summary>
internal sealed class HostTable<T>
    where T : class
{
    private readonly Dictionary<string, HostRoutes<T>>.AlternateLookup<ReadOnlySpan<char>> _exact;
    private readonly WildcardNode<T> _wildcards = new();
    private HostRoutes<T>? _any;

    private HostTable(Dictionary<string, HostRoutes<T>> exact) => _exact = exact.GetAlternateLookup<ReadOnlySpan<char>>();

    public static HostTable<T> Build(CompiledRule<T>[] rules, ShadowFinder<T> shadows)
    {
        var groups = HostGroups<T>.Of(rules);
        var exact = new Dictionary<string, HostRoutes<T>>(groups.Count, StringComparer.OrdinalIgnoreCase);
        var table = new HostTable<T>(exact);
        var builder = new PathTreeBuilder<T>();
        for (int i = 0; i < groups.Count; i++)
        {
            string host = groups.Host(i);
            HostRoutes<T> routes = HostRoutes<T>.Build(groups.Rules(i), builder);
            shadows.Add(host, groups.Rules(i).Span);
            if (host == HostGroups<T>.AnyHost) table._any = routes;
            else if (host.StartsWith("*.", StringComparison.Ordinal)) table._wildcards.Add(host.AsSpan(2)).Set(host, routes);
            else exact.Add(host, routes);
        }
        table._wildcards.Link();
        return table;
    }

    public CompiledRule<T>? Find<TRequest>(scoped ReadOnlySpan<char> host, scoped ReadOnlySpan<char> path, ref TRequest request)
        where TRequest : struct, IRouteRequest, allows ref struct
    {
        if (_exact.TryGetValue(host, out HostRoutes<T>? routes) && routes.Find(path, ref request) is { } byHost) return byHost;
        for (WildcardNode<T>? node = _wildcards.Longest(host); node is not null; node = node.Shorter)
            if (node.Routes!.Find(path, ref request) is { } byWildcard) return byWildcard;
        return _any?.Find(path, ref request);
    }

    /// <summary>The routes that <see cref="Find"/> goes through for the host, nearest first, each with the host as rules write it.</summary>
    public List<(string Host, HostRoutes<T> Routes)> Levels(ReadOnlySpan<char> host)
    {
        var levels = new List<(string, HostRoutes<T>)>();
        if (_exact.TryGetValue(host, out string? name, out HostRoutes<T>? routes)) levels.Add((name, routes));
        for (WildcardNode<T>? node = _wildcards.Longest(host); node is not null; node = node.Shorter) levels.Add((node.Host!, node.Routes!));
        if (_any is not null) levels.Add((HostGroups<T>.AnyHost, _any));
        return levels;
    }

    /// <summary>All hosts as rules write them, each with its routes.</summary>
    public List<(string Host, HostRoutes<T> Routes)> All()
    {
        var all = new List<(string, HostRoutes<T>)>();
        foreach ((string host, HostRoutes<T> routes) in _exact.Dictionary) all.Add((host, routes));
        _wildcards.AddTo(all);
        if (_any is not null) all.Add((HostGroups<T>.AnyHost, _any));
        return all;
    }
}
