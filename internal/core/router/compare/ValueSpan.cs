using System.Text.RegularExpressions;

namespace Gateway.Core.Router.Compare;

/// <summary>
/// What is required of the values of one header field or query parameter. There may be several values, so that two different ones can be
/// required at once. Immutable.
/// </summary>
internal sealed record ValueSpan
{
    private static readonly string[] Fillers = ["1", "x", "0", "yes", "A", "a b", "-", "x1y2z3", ""];

    public static readonly ValueSpan Free = new();

    private IReadOnlyList<string> Equal { get; init; } = [];
    private IReadOnlyList<string> NotEqual { get; init; } = [];
    private IReadOnlyList<Regex> Match { get; init; } = [];
    private IReadOnlyList<Regex> NoMatch { get; init; } = [];
    private bool IsPresent { get; init; }
    private bool IsAbsent { get; init; }

    /// <param name="regexes">Where patterns are compiled.</param>
    /// <param name="holds">Whether the condition is to hold or not.</param>
    public ValueSpan With(ValueCondition condition, RegexCache regexes, bool holds)
    {
        switch (condition.Kind)
        {
            case ValueConditionKind.Equals:
                return holds ? this with { Equal = Add(Equal, condition.Text) } : this with { NotEqual = Add(NotEqual, condition.Text) };
            case ValueConditionKind.Regex:
                Regex pattern = regexes.Get(condition.Text);
                return holds ? this with { Match = Add(Match, pattern) } : this with { NoMatch = Add(NoMatch, pattern) };
            default:
                return holds == (condition.Kind == ValueConditionKind.Present) ? this with { IsPresent = true } : this with { IsAbsent = true };
        }
    }

    /// <summary>Values that fulfil all of it; null when none were found.</summary>
    /// <param name="mayHold">Which texts can be sent.</param>
    /// <param name="decided">With null: whether there certainly are none.</param>
    public List<string>? Values(Func<string, bool> mayHold, out bool decided)
    {
        decided = true;
        if (IsAbsent) return IsPresent || Equal.Count + Match.Count != 0 ? null : [];
        List<string> values = [.. Equal];
        foreach (string value in Equal)
            if (!IsAllowed(value) || !mayHold(value)) return null;
        foreach (Regex pattern in Match)
        {
            if (NoMatch.Contains(pattern)) return null;
            if (values.Exists(pattern.IsMatch)) continue;
            string? sample = RegexSamples.Of(pattern.ToString()).Concat(Fillers).FirstOrDefault(s => pattern.IsMatch(s) && IsAllowed(s) && mayHold(s));
            if (sample is null)
            {
                decided = false;
                return null;
            }
            values.Add(sample);
        }
        if (!IsPresent || values.Count != 0) return values;
        string? filler = Fillers.Concat(Enumerable.Range(2, NotEqual.Count + 1).Select(static n => $"{n}")).FirstOrDefault(IsAllowed);
        decided = NoMatch.Count == 0;
        return filler is null ? null : [filler];
    }

    private bool IsAllowed(string value)
    {
        if (NotEqual.Contains(value)) return false;
        foreach (Regex pattern in NoMatch)
            if (pattern.IsMatch(value)) return false;
        return true;
    }

    private static IReadOnlyList<TItem> Add<TItem>(IReadOnlyList<TItem> list, TItem item) => list.Contains(item) ? list : [.. list, item];
}
