namespace Gateway.Core.Router.Compare;

/// <summary>Requests that meet the conditions of some rules and miss a condition each of some others. Immutable.</summary>
internal sealed record RequestRegion(string Host, PathSpan Path)
{
    private static readonly string[] UsualMethods = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];

    private IReadOnlyList<string> NotHosts { get; init; } = [];
    private IReadOnlyList<PathSpan> NotPaths { get; init; } = [];

    // Null for any.
    private IReadOnlyList<string>? Methods { get; init; }
    private IReadOnlyList<string> NotMethods { get; init; } = [];
    private IReadOnlyList<(string Name, ValueSpan Values)> Headers { get; init; } = [];
    private IReadOnlyList<(string Name, ValueSpan Values)> Query { get; init; } = [];

    /// <summary>The part of it that meets the rule's conditions, those on the host apart; null for certainly nothing.</summary>
    public RequestRegion? Within<T>(CompiledRule<T> rule, RegexCache regexes)
        where T : class
    {
        if (Path.Intersect(PathSpan.Of(rule)) is not { } path) return null;
        IReadOnlyList<string>? methods = Methods;
        if (rule.Rule.Methods.Count != 0)
        {
            methods = methods is null ? rule.Rule.Methods : [.. methods.Where(rule.Rule.Methods.Contains)];
            if (methods.Count == 0) return null;
        }
        RequestRegion region = this with { Path = path, Methods = methods };
        foreach (ValueCondition condition in rule.Rule.Headers) region = region.WithHeader(condition, regexes, holds: true);
        foreach (ValueCondition condition in rule.Rule.Query) region = region.WithQuery(condition, regexes, holds: true);
        return region;
    }

    /// <summary>The parts of it that miss one condition of the rule each: together all that the rule does not match.</summary>
    public IEnumerable<RequestRegion> Without<T>(CompiledRule<T> rule, RegexCache regexes)
        where T : class
    {
        if (rule.Rule.Methods.Count != 0) yield return this with { NotMethods = [.. NotMethods, .. rule.Rule.Methods] };
        foreach (ValueCondition condition in rule.Rule.Headers) yield return WithHeader(condition, regexes, holds: false);
        foreach (ValueCondition condition in rule.Rule.Query) yield return WithQuery(condition, regexes, holds: false);
        if (rule.Rule.PathKind != PathKind.Any) yield return this with { NotPaths = [.. NotPaths, PathSpan.Of(rule)] };
        if (rule.Rule.Hosts.Count != 0) yield return this with { NotHosts = [.. NotHosts, .. rule.Rule.Hosts.Select(HostName.OfRule)] };
    }

    /// <summary>One request of it; null when none was found.</summary>
    /// <param name="undecided">With null: what could not be decided; null when there certainly is no such request.</param>
    public DescribedRequest? Witness(out string? undecided)
    {
        undecided = null;
        if (HostSpan.Member(Host, NotHosts) is not { } host || Method() is not { } method) return null;
        if (Path.Member(NotPaths, out bool decided) is not { } path)
        {
            if (!decided) undecided = "whether a path matches the one's regular expressions and not the other's";
            return null;
        }
        var headers = new List<KeyValuePair<string, string>>();
        foreach ((string name, ValueSpan span) in Headers)
        {
            if (name.Equals("host", StringComparison.OrdinalIgnoreCase))
            {
                undecided = "what a condition on the Host header means for the hosts";
                return null;
            }
            if (span.Values(IsFieldValue, out decided) is not { } values)
            {
                if (!decided) undecided = $"whether values of header {name} match the one's regular expressions and not the other's";
                return null;
            }
            foreach (string value in values) headers.Add(new(name, value));
        }
        var query = new List<string>();
        foreach ((string name, ValueSpan span) in Query)
        {
            if (span.Values(static _ => true, out decided) is not { } values)
            {
                if (!decided) undecided = $"whether values of query parameter {name} match the one's regular expressions and not the other's";
                return null;
            }
            foreach (string value in values) query.Add($"{Uri.EscapeDataString(name)}={Uri.EscapeDataString(value)}");
        }
        return new DescribedRequest(method, "http", host, path, string.Join('&', query), headers);
    }

    private string? Method()
    {
        foreach (string method in Methods ?? UsualMethods)
            if (!NotMethods.Contains(method)) return method;
        if (Methods is not null) return null;
        string other = "OTHER";
        while (NotMethods.Contains(other)) other += "-";
        return other;
    }

    // RFC 9110 section 5.5: octets without controls, and white space around a value is no part of it.
    private static bool IsFieldValue(string value) => !value.AsSpan().ContainsAnyExceptInRange(' ', '\u00ff') && !value.Contains('\u007f') && value.Trim(' ').Length == value.Length;

    private RequestRegion WithHeader(ValueCondition condition, RegexCache regexes, bool holds) =>
        this with { Headers = With(Headers, condition, StringComparison.OrdinalIgnoreCase, regexes, holds) };

    private RequestRegion WithQuery(ValueCondition condition, RegexCache regexes, bool holds) =>
        this with { Query = With(Query, condition, StringComparison.Ordinal, regexes, holds) };

    private static IReadOnlyList<(string, ValueSpan)> With(
        IReadOnlyList<(string Name, ValueSpan Values)> spans, ValueCondition condition, StringComparison names, RegexCache regexes, bool holds)
    {
        List<(string, ValueSpan)> changed = [.. spans];
        int at = changed.FindIndex(s => s.Item1.Equals(condition.Name, names));
        if (at < 0) changed.Add((condition.Name, ValueSpan.Free.With(condition, regexes, holds)));
        else changed[at] = (changed[at].Item1, changed[at].Item2.With(condition, regexes, holds));
        return changed;
    }
}
