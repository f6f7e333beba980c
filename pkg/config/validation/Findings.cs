using Gateway.Config.Reading;

namespace Gateway.Config.Validation;

/// <summary>
/// Errors and warnings of meaning. An error at a place where, or within which, the form was wrong already is left out: it would be the
/// same mistake told twice.
/// </summary>
internal sealed class Findings
{
    private const int MaxWarnings = 100;
    private readonly ErrorList _errors;
    private readonly string[] _broken;
    private readonly List<ConfigError> _warnings = [];

    public Findings(ErrorList errors)
    {
        _errors = errors;
        _broken = [.. errors.Listed.Select(e => e.Path).Where(p => p.Length > 0)];
    }

    public IReadOnlyList<ConfigError> Warnings => _warnings;

    public void Error(string path, string code, string message)
    {
        foreach (string broken in _broken)
            if (Within(broken, path) || Within(path, broken)) return;
        _errors.Add(path, code, message);
    }

    public void Warning(string path, string code, string message)
    {
        if (_warnings.Count < MaxWarnings) _warnings.Add(new ConfigError(path, code, message));
    }

    /// <summary>Something right under the root could not be read, so that what refers to it cannot be judged.</summary>
    public bool IsBroken(string root)
    {
        foreach (string broken in _broken)
            if (broken == root || (broken.Length > 0 && !broken.Contains('.', StringComparison.Ordinal) && !broken.Contains('[', StringComparison.Ordinal) && !IsKnownRoot(broken))) return true;
        return false;
    }

    private static bool IsKnownRoot(string path) => path is "version" or "listeners" or "routes" or "pools" or "certificates" or "accessLog" or "metrics" or "shutdown" or "history";

    private static bool Within(string inner, string outer) =>
        inner.StartsWith(outer, StringComparison.Ordinal) && (outer.Length == 0 || inner.Length == outer.Length || inner[outer.Length] is '.' or '[');
}
