using System.Text.RegularExpressions;

namespace Gateway.Core.Router;

/// <summary>A <see cref="RouteRule{T}"/> made ready: path in strict form, conditions as tests. Shared by all its hosts.</summary>
internal sealed class CompiledRule<T> : IComparable<CompiledRule<T>>
    where T : class
{
    private readonly string[]? _methods;
    private readonly ValueTest[]? _headers;
    private readonly ValueTest[]? _query;

    public CompiledRule(RouteRule<T> rule, int order, RegexCache regexes)
    {
        Rule = rule;
        Order = order;
        Path = rule.PathKind is PathKind.Exact or PathKind.Prefix ? PathForm.OfRule(rule.Path) : rule.Path;
        if (rule.PathKind == PathKind.Prefix)
        {
            // "/api/" and "/api" are one prefix; "/" becomes the empty text, above everything.
            if (Path.EndsWith('/')) Path = Path[..^1];
            string lax = PathForm.LaxOfRule(Path.Length == 0 ? "/" : Path).TrimEnd('/');
            if (lax != Path) LaxPrefix = lax;
        }
        if (rule.PathKind == PathKind.Regex) Pattern = regexes.Get(rule.Path);
        if (rule.Methods.Count != 0) _methods = [.. rule.Methods];
        _headers = Tests(rule.Headers, regexes);
        _query = Tests(rule.Query, regexes);
    }

    public RouteRule<T> Rule { get; }

    /// <summary>The rule's place in the document.</summary>
    public int Order { get; }

    /// <summary>On how many different hosts the rule stands.</summary>
    public int HostCount { get; set; }

    /// <summary>For an exact path its strict form; for a prefix that without its final slash.</summary>
    public string Path { get; }

    /// <summary>The lax form of a prefix, when it is another.</summary>
    public string? LaxPrefix { get; }

    public Regex? Pattern { get; }

    /// <summary>Less = asked first, among rules with the same path: a method condition, more headers, more query parameters, then order.</summary>
    public int CompareTo(CompiledRule<T>? other)
    {
        int result = (_methods is null).CompareTo(other!._methods is null);
        if (result == 0) result = other.Rule.Headers.Count.CompareTo(Rule.Headers.Count);
        if (result == 0) result = other.Rule.Query.Count.CompareTo(Rule.Query.Count);
        return result != 0 ? result : Order.CompareTo(other.Order);
    }

    /// <summary>Whether method, header and query conditions hold.</summary>
    public bool Holds<TRequest>(ref TRequest request)
        where TRequest : struct, IRouteRequest, allows ref struct => FailsAt(ref request, out _) == RulePart.None;

    /// <summary>The first condition that does not hold: its kind, and its place among those of that kind.</summary>
    public RulePart FailsAt<TRequest>(ref TRequest request, out int index)
        where TRequest : struct, IRouteRequest, allows ref struct
    {
        index = 0;
        if (_methods is not null && !MethodHolds(request.Method)) return RulePart.Method;
        if (_headers is not null)
        {
            for (index = 0; index < _headers.Length; index++)
                if (!_headers[index].HoldsForHeader(ref request)) return RulePart.Header;
        }
        if (_query is not null)
        {
            for (index = 0; index < _query.Length; index++)
                if (!_query[index].HoldsForQuery(request.RawQuery)) return RulePart.Query;
        }
        return RulePart.None;
    }

    private bool MethodHolds(string method)
    {
        foreach (string allowed in _methods!)
            if (allowed == method) return true;
        return false;
    }

    private static ValueTest[]? Tests(IReadOnlyList<ValueCondition> conditions, RegexCache regexes)
    {
        if (conditions.Count == 0) return null;
        var tests = new ValueTest[conditions.Count];
        for (int i = 0; i < tests.Length; i++) tests[i] = new ValueTest(conditions[i], regexes);
        return tests;
    }
}

/// <summary>The kinds of conditions that come after host and path.</summary>
internal enum RulePart : byte
{
    None,
    Method,
    Header,
    Query,
}
