using Gateway.Core.Router.Compare;

namespace Gateway.Core.Router;

/// <summary>
/// Finds rules that no request can reach: on each of its hosts, another rule with the same path, or with the prefix <c>/</c> when the
/// rule is a regular expression, is asked earlier and holds whenever the rule does; or several with the same path do together
/// (<see cref="UnionCover{T}"/>). Each claim is certain; not each unreachable rule is claimed. Near linear: of many rules with one path, each
/// is compared with its nearest <see cref="Window"/> and, by hash, with its equals, and with several together only where there are few.
/// </summary>
internal sealed class ShadowFinder<T>(RegexCache regexes)
    where T : class
{
    private const int Window = 32;

    private sealed record Finding(IReadOnlyList<CompiledRule<T>> By, string Reason)
    {
        public int Hosts { get; set; } = 1;

        // A regular expression may be found twice on one host.
        public int LastHost { get; set; }
    }

    private readonly Dictionary<CompiledRule<T>, Finding> _findings = [];
    private readonly Dictionary<string, CompiledRule<T>> _bySignature = [];
    private readonly UnionCover<T> _union = new(regexes);
    private int _host;

    /// <param name="host">As rules write it.</param>
    /// <param name="sorted">The rules of one host in the order of <see cref="HostRoutes{T}"/>.</param>
    public void Add(string host, ReadOnlySpan<CompiledRule<T>> sorted)
    {
        if (sorted.Length < 2) return;
        _host++;
        ReadOnlySpan<CompiledRule<T>> root = default;
        int paths = 0;
        while (paths < sorted.Length && sorted[paths].Rule.PathKind is PathKind.Exact or PathKind.Prefix) paths++;
        for (int from = 0; from < paths;)
        {
            int end = from + 1;
            while (end < paths && sorted[end].Rule.PathKind == sorted[from].Rule.PathKind && sorted[end].Path == sorted[from].Path) end++;
            ReadOnlySpan<CompiledRule<T>> same = sorted[from..end];
            if (same[0].Rule.PathKind == PathKind.Prefix && same[0].Path.Length == 0) root = same;
            AddSamePath(host, same);
            from = end;
        }
        int any = paths;
        while (any < sorted.Length && sorted[any].Rule.PathKind == PathKind.Regex) any++;
        AddRegexes(host, sorted[paths..any], root);
        AddSamePath(host, sorted[any..]);
    }

    /// <summary>The rules found on all of their hosts, in document order.</summary>
    public IReadOnlyList<ShadowedRoute> Result()
    {
        if (_findings.Count == 0) return [];
        var found = new List<KeyValuePair<CompiledRule<T>, Finding>>();
        foreach (KeyValuePair<CompiledRule<T>, Finding> finding in _findings)
            if (finding.Value.Hosts == finding.Key.HostCount) found.Add(finding);
        found.Sort(static (a, b) => a.Key.Order.CompareTo(b.Key.Order));
        return found.ConvertAll(static f => new ShadowedRoute(f.Key.Rule.Name, [.. f.Value.By.Select(static r => r.Rule.Name)], f.Value.Reason));
    }

    // All asked in the order given.
    private void AddSamePath(string host, ReadOnlySpan<CompiledRule<T>> same)
    {
        if (same.Length > Window) _bySignature.Clear();
        for (int i = 0; i < same.Length; i++)
        {
            CompiledRule<T>? by = Implied(same[Math.Max(0, i - Window)..i], same[i]);
            if (same.Length > Window)
            {
                string signature = RuleImplication.Signature(same[i].Rule);
                if (!_bySignature.TryAdd(signature, same[i])) by ??= _bySignature[signature];
            }
            if (by is not null) Found(same[i], [by], "the same path, and every request that meets this route's conditions meets those of the other, which is asked first");
            else if (same.Length <= Window && _union.Find(host, same[i], same[..i]) is { } all) Found(same[i], all, "the same path, and every request that meets this route's conditions meets those of one of the others, which are asked first");
        }
    }

    private void AddRegexes(string host, ReadOnlySpan<CompiledRule<T>> rules, ReadOnlySpan<CompiledRule<T>> root)
    {
        if (root.Length > Window) root = root[^Window..];
        foreach (CompiledRule<T> rule in rules)
        {
            if (Implied(root, rule) is { } by)
                Found(rule, [by], "the other route has the prefix \"/\", and a prefix is asked before every regular expression");
        }
        if (rules.Length < 2) return;
        var byPattern = new Dictionary<string, List<CompiledRule<T>>>();
        foreach (CompiledRule<T> rule in rules)
        {
            if (byPattern.TryGetValue(rule.Path, out List<CompiledRule<T>>? same)) same.Add(rule);
            else byPattern.Add(rule.Path, [rule]);
        }
        foreach (List<CompiledRule<T>> same in byPattern.Values)
            if (same.Count > 1) AddSamePath(host, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(same));
    }

    private static CompiledRule<T>? Implied(ReadOnlySpan<CompiledRule<T>> earlier, CompiledRule<T> rule)
    {
        foreach (CompiledRule<T> candidate in earlier)
            if (RuleImplication.Holds(rule.Rule, candidate.Rule)) return candidate;
        return null;
    }

    private void Found(CompiledRule<T> rule, IReadOnlyList<CompiledRule<T>> by, string reason)
    {
        if (!_findings.TryGetValue(rule, out Finding? finding)) _findings.Add(rule, new Finding(by, reason) { LastHost = _host });
        else if (finding.LastHost != _host) (finding.Hosts, finding.LastHost) = (finding.Hosts + 1, _host);
    }
}
