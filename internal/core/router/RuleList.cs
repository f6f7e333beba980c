namespace Gateway.Core.Router;

/// <summary>
/// Rules of one host and path, in the order to ask them. Where many of them ask for a value of one header field (a tenant, a version),
/// those are found by the value, so that their number does not matter.
/// </summary>
internal sealed class RuleList<T>
    where T : class
{
    // Below that, asking one after another is faster than hashing.
    private const int WorthAnIndex = 16;

    // All rules, or with an index those that are not in it.
    private readonly CompiledRule<T>[] _rules;
    private readonly string? _header;
    private readonly Dictionary<string, CompiledRule<T>[]>? _byValue;

    public RuleList(ReadOnlySpan<CompiledRule<T>> rules)
    {
        _rules = rules.ToArray();
        if (rules.Length < WorthAnIndex) return;
        (_header, int count) = MostAskedHeader(_rules);
        if (count < WorthAnIndex) return;

        var byValue = new Dictionary<string, List<CompiledRule<T>>>(StringComparer.Ordinal);
        var others = new List<CompiledRule<T>>();
        foreach (CompiledRule<T> rule in rules)
        {
            if (ValueOf(rule, _header!) is not { } value) others.Add(rule);
            else if (byValue.TryGetValue(value, out List<CompiledRule<T>>? same)) same.Add(rule);
            else byValue.Add(value, [rule]);
        }
        _rules = [.. others];
        _byValue = new Dictionary<string, CompiledRule<T>[]>(byValue.Count, StringComparer.Ordinal);
        foreach ((string value, List<CompiledRule<T>> same) in byValue) _byValue.Add(value, [.. same]);
    }

    /// <summary>The first rule whose conditions hold; null for none.</summary>
    public CompiledRule<T>? First<TRequest>(ref TRequest request)
        where TRequest : struct, IRouteRequest, allows ref struct
    {
        CompiledRule<T>? first = FirstOf(_rules, ref request);
        if (_byValue is null) return first;
        for (int i = 0; request.HeaderValue(_header!, i) is { } value; i++)
        {
            if (_byValue.TryGetValue(value, out CompiledRule<T>[]? rules) && FirstOf(rules, ref request) is { } rule && (first is null || rule.CompareTo(first) < 0))
                first = rule;
        }
        return first;
    }

    /// <summary>Adds all of them in the order in which they are asked.</summary>
    public void AddTo(List<CompiledRule<T>> to)
    {
        int from = to.Count;
        to.AddRange(_rules);
        if (_byValue is null) return;
        foreach (CompiledRule<T>[] rules in _byValue.Values) to.AddRange(rules);
        to.Sort(from, to.Count - from, null);
    }

    private static CompiledRule<T>? FirstOf<TRequest>(CompiledRule<T>[] rules, ref TRequest request)
        where TRequest : struct, IRouteRequest, allows ref struct
    {
        foreach (CompiledRule<T> rule in rules)
            if (rule.Holds(ref request)) return rule;
        return null;
    }

    private static (string? Header, int Count) MostAskedHeader(CompiledRule<T>[] rules)
    {
        var counts = new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase);
        (string? Header, int Count) most = (null, 0);
        foreach (CompiledRule<T> rule in rules)
        {
            foreach (ValueCondition condition in rule.Rule.Headers)
            {
                if (condition.Kind != ValueConditionKind.Equals) continue;
                int count = counts.GetValueOrDefault(condition.Name) + 1;
                counts[condition.Name] = count;
                if (count > most.Count) most = (condition.Name, count);
            }
        }
        return most;
    }

    // The rule needs this value at least, so it is enough to find it there.
    private static string? ValueOf(CompiledRule<T> rule, string header)
    {
        foreach (ValueCondition condition in rule.Rule.Headers)
            if (condition.Kind == ValueConditionKind.Equals && condition.Name.Equals(header, StringComparison.OrdinalIgnoreCase)) return condition.Text;
        return null;
    }
}
