using Gateway.Config.Reading;

namespace Gateway.Config.Validation;

/// <summary>
/// Errors and warnings of meaning, each at the <see cref="Path"/> of the moment. An error at a place where, or within which, the form was
/// wrong already is left out: it would be the same mistake told twice.
/// </summary>
internal sealed class Findings
{
    private const int MaxWarnings = 100;
    private readonly ErrorList _errors;
    private readonly string[] _broken;
    private readonly ErrorList _warnings = new(MaxWarnings, "warnings are not listed");

    public Findings(ErrorList errors)
    {
        _errors = errors;
        _broken = [.. errors.Listed.Select(e => e.Path).Where(p => p.Length > 0)];
    }

    public PathStack Path { get; } = new();

    public bool HasErrors => _errors.Count > 0;

    public IReadOnlyList<ConfigError> Warnings => _warnings.ToList();

    public void Error(string code, string message)
    {
        string path = Path.ToString();
        foreach (string broken in _broken)
            if (Within(broken, path) || Within(path, broken)) return;
        _errors.Add(path, code, message);
    }

    /// <summary>An error at a field of the present place.</summary>
    public void Error(string field, string code, string message)
    {
        Path.Push(field);
        Error(code, message);
        Path.Pop();
    }

    public void Warning(string code, string message)
    {
        if (_warnings.IsFull) _warnings.AddUnlisted();
        else _warnings.Add(Path.ToString(), code, message);
    }

    /// <summary>A warning at a field of the present place.</summary>
    public void Warning(string field, string code, string message)
    {
        Path.Push(field);
        Warning(code, message);
        Path.Pop();
    }

    /// <summary>A name that should be a key of <paramref name="known"/>, which stands in the document as <paramref name="section"/>.</summary>
    public void UnknownReference(string name, string section, IEnumerable<string> known)
    {
        string nearest = Nearest(name, known);
        Error(ConfigErrorCodes.UnknownReference, $"\"{JsonTokens.Shorten(name)}\" is not among {section}{(nearest.Length > 0 ? nearest : "; add it there, or name one that is")}");
    }

    /// <summary>"Did you mean …?". A look for the nearest of many names costs, and no one reads it once the list is full.</summary>
    public string Nearest(string name, IEnumerable<string> known) => _errors.IsFull ? "" : Suggestion.For(name, known);

    /// <summary>The section right under the root could not be read, or some section's name is misspelled: what refers to it cannot be judged.</summary>
    public bool IsUnreadable(string section)
    {
        foreach (string broken in _broken)
            if (broken == section || (broken.AsSpan().IndexOfAny('.', '[') < 0 && Suggestion.IsNear(broken, section))) return true;
        return false;
    }

    private static bool Within(string inner, string outer) =>
        inner.StartsWith(outer, StringComparison.Ordinal) && (outer.Length == 0 || inner.Length == outer.Length || inner[outer.Length] is '.' or '[');
}
