using System.Text.RegularExpressions;

namespace Gateway.Core.Router;

/// <summary>
/// One <see cref="Regex"/> per pattern of a table. Building a non-backtracking automaton is the dearest step of a compile, and routes
/// repeat their patterns.
/// </summary>
internal sealed class RegexCache
{
    private readonly Dictionary<string, Regex> _byPattern = new(StringComparer.Ordinal);

    public Regex Get(string pattern)
    {
        if (!_byPattern.TryGetValue(pattern, out Regex? regex))
            _byPattern[pattern] = regex = new Regex(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        return regex;
    }
}
