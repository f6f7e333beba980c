namespace Gateway.Config.Validation;

/// <summary>The conditions of routes.</summary>
internal sealed class MatchRules(Findings findings)
{
    // Many routes share a pattern, and to compile one costs tens of microseconds.
    private readonly Dictionary<string, string?> _patterns = new(StringComparer.Ordinal);

    public void Validate(MatchConfig match)
    {
        findings.Path.Push("match");
        Each("hosts", match.Hosts, Syntax.HostPattern);
        if (match.Path is { } path) Path(path);
        Methods(match.Methods);
        Values("headers", match.Headers, isHeader: true);
        Values("query", match.Query, isHeader: false);
        findings.Path.Pop();
    }

    private void Each(string field, IReadOnlyList<string> texts, Func<string, string?> check)
    {
        for (int i = 0; i < texts.Count; i++)
        {
            if (texts[i] is null || check(texts[i]) is not { } wrong) continue;
            findings.Path.Push(field);
            findings.Path.PushIndex(i);
            findings.Error(ConfigErrorCodes.InvalidValue, wrong);
            findings.Path.Pop();
            findings.Path.Pop();
        }
    }

    private void Methods(IReadOnlyList<string> methods)
    {
        if (methods.Count == 0) return;
        Each("methods", methods, static method => Syntax.Token(method, "a method"));
        findings.Path.Push("methods");
        for (int i = 0; i < methods.Count; i++)
        {
            if (methods[i]?.ToUpperInvariant() is not { } upper || upper == methods[i]) continue;
            if (upper is not ("GET" or "HEAD" or "POST" or "PUT" or "DELETE" or "PATCH" or "OPTIONS" or "TRACE" or "CONNECT")) continue;
            findings.Path.PushIndex(i);
            findings.Warning(ConfigErrorCodes.Doubtful, $"methods compare with case, and clients send \"{upper}\"; write it so");
            findings.Path.Pop();
        }
        findings.Path.Pop();
    }

    private void Path(PathMatchConfig path)
    {
        findings.Path.Push("path");
        int kinds = (path.Exact is null ? 0 : 1) + (path.Prefix is null ? 0 : 1) + (path.Regex is null ? 0 : 1);
        if (kinds == 0) findings.Error(ConfigErrorCodes.MissingField, "add one of exact, prefix and regex, or leave path out to match any");
        if (kinds > 1) findings.Error(ConfigErrorCodes.Conflict, "more than one of exact, prefix and regex is given; keep one");
        if (path.Exact is not null && Syntax.Path(path.Exact) is { } wrongExact) findings.Error("exact", ConfigErrorCodes.InvalidValue, wrongExact);
        if (path.Prefix is not null && Syntax.Path(path.Prefix) is { } wrongPrefix) findings.Error("prefix", ConfigErrorCodes.InvalidValue, wrongPrefix);
        if (path.Regex is not null) Pattern(path.Regex);
        findings.Path.Pop();
    }

    private void Values(string field, IReadOnlyList<ValueMatchConfig> values, bool isHeader)
    {
        for (int i = 0; i < values.Count; i++)
        {
            if (values[i] is not { } value) continue;
            findings.Path.Push(field);
            findings.Path.PushIndex(i);
            Value(value, isHeader);
            findings.Path.Pop();
            findings.Path.Pop();
        }
    }

    private void Value(ValueMatchConfig value, bool isHeader)
    {
        if (isHeader && value.Name is not null && Syntax.Token(value.Name, "a header field's name") is { } wrong) findings.Error("name", ConfigErrorCodes.InvalidValue, wrong);
        if (!isHeader && value.Name is "") findings.Error("name", ConfigErrorCodes.InvalidValue, "a query parameter's name is not empty");
        int kinds = (value.Value is null ? 0 : 1) + (value.Regex is null ? 0 : 1) + (value.Present is null ? 0 : 1);
        if (kinds == 0) findings.Error(ConfigErrorCodes.MissingField, "add one of value, regex and present");
        if (kinds > 1) findings.Error(ConfigErrorCodes.Conflict, "more than one of value, regex and present is given; keep one");
        if (value.Regex is not null) Pattern(value.Regex);
    }

    private void Pattern(string pattern)
    {
        if (!_patterns.TryGetValue(pattern, out string? wrong)) _patterns.Add(pattern, wrong = Syntax.Pattern(pattern));
        if (wrong is not null) findings.Error("regex", ConfigErrorCodes.InvalidRegex, wrong);
    }
}
