using System.Text.RegularExpressions;

namespace Gateway.Core.Router.Compare;

/// <summary>A set of paths in strict form: one, those under a prefix, or all; of them those that match all of some regular expressions.</summary>
/// <param name="Text">The exact path, or the prefix without its final slash; the prefix of all is empty.</param>
internal sealed record PathSpan(bool IsExact, string Text, IReadOnlyList<Regex> Patterns)
{
    public static readonly PathSpan All = new(false, "", []);

    public static PathSpan Of<T>(CompiledRule<T> rule)
        where T : class => rule.Rule.PathKind switch
        {
            PathKind.Exact => new PathSpan(true, rule.Path, []),
            PathKind.Prefix => new PathSpan(false, rule.Path, []),
            PathKind.Regex => All with { Patterns = [rule.Pattern!] },
            _ => All,
        };

    /// <summary>The paths of both; null for certainly none.</summary>
    public PathSpan? Intersect(PathSpan other)
    {
        PathSpan narrow = IsExact || (!other.IsExact && Text.Length >= other.Text.Length) ? this : other;
        PathSpan wide = ReferenceEquals(narrow, this) ? other : this;
        if (wide.IsExact ? wide.Text != narrow.Text : !PathForm.IsUnder(narrow.Text, wide.Text)) return null;
        if (Patterns.Count + other.Patterns.Count == 0) return narrow;
        List<Regex> patterns = [.. Patterns];
        foreach (Regex pattern in other.Patterns)
            if (!patterns.Contains(pattern)) patterns.Add(pattern);
        if (narrow.IsExact) return patterns.TrueForAll(p => p.IsMatch(narrow.Text)) ? narrow with { Patterns = [] } : null;
        return RegexPrefix.Contradict(narrow.Text, patterns) ? null : narrow with { Patterns = patterns };
    }

    /// <summary>Every path of this is certainly one of the other.</summary>
    public bool IsWithin(PathSpan other)
    {
        if (other.IsExact ? !IsExact || Text != other.Text : !PathForm.IsUnder(Text, other.Text)) return false;
        foreach (Regex pattern in other.Patterns)
            if (IsExact ? !pattern.IsMatch(Text) : !Patterns.Contains(pattern)) return false;
        return true;
    }

    /// <summary>A path of this outside of all of <paramref name="excluded"/>.</summary>
    /// <param name="decided">With no path: whether there certainly is none.</param>
    public string? Member(IReadOnlyList<PathSpan> excluded, out bool decided)
    {
        decided = true;
        foreach (PathSpan outer in excluded)
            if (IsWithin(outer)) return null;
        bool oneReading = HasOneReading(Text);
        foreach (string path in Candidates(excluded.Count))
        {
            // What is no strict form would be decided as another path; what has two readings, as two.
            if (!path.StartsWith('/') || !Holds(path) || PathForm.OfRequest(path) != path || (oneReading && !HasOneReading(path))) continue;
            if (!excluded.Any(e => e.Holds(path))) return path;
        }
        // Exclusions without a pattern leave some fresh name over; only what patterns allow or forbid may have been missed.
        decided = IsExact || (Patterns.Count == 0 && excluded.All(static e => e.Patterns.Count == 0));
        return null;
    }

    private bool Holds(string path)
    {
        if (IsExact ? path != Text : !PathForm.IsUnder(path, Text)) return false;
        foreach (Regex pattern in Patterns)
            if (!pattern.IsMatch(path)) return false;
        return true;
    }

    private static bool HasOneReading(string strict) => strict.Length == 0 || PathForm.LaxOfRule(strict) == strict;

    private IEnumerable<string> Candidates(int excluded)
    {
        if (IsExact)
        {
            yield return Text;
            yield break;
        }
        if (Text.Length != 0) yield return Text;
        yield return Text + "/";
        for (int i = 0; i < excluded + 2; i++) yield return i == 0 ? $"{Text}/x" : $"{Text}/x{i}";
        foreach (Regex pattern in Patterns)
        {
            foreach (string sample in RegexSamples.Of(pattern.ToString()))
            {
                yield return sample;
                yield return Text + sample;
                yield return $"{Text}/{sample}";
                yield return $"{Text}/x{sample}";
            }
        }
    }
}
