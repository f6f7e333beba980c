namespace Gateway.Core.Router.Compare;

/// <summary>
/// Which rules two tables share. A request can be treated differently only if it matches a rule that they do not share: those that they do
/// keep their order among themselves, so the same one of them comes first in both.
/// </summary>
internal static class RuleChanges
{
    /// <summary>For each rule its twin in the other table, or null when it has none.</summary>
    /// <param name="same">Whether two targets treat requests the same.</param>
    public static HashSet<CompiledRule<T>> Shared<T>(ReadOnlySpan<CompiledRule<T>> before, ReadOnlySpan<CompiledRule<T>> after, Func<T, T, bool> same)
        where T : class
    {
        var byName = new Dictionary<string, CompiledRule<T>>(after.Length);
        foreach (CompiledRule<T> rule in after) byName.TryAdd(rule.Rule.Name, rule);
        var twins = new List<(CompiledRule<T> Before, CompiledRule<T> After)>();
        foreach (CompiledRule<T> rule in before)
        {
            if (byName.TryGetValue(rule.Rule.Name, out CompiledRule<T>? twin) && SameMatch(rule.Rule, twin.Rule) && same(rule.Rule.Target, twin.Rule.Target))
                twins.Add((rule, twin));
        }
        var shared = new HashSet<CompiledRule<T>>(2 * twins.Count);
        foreach (int index in LongestRising(twins))
        {
            shared.Add(twins[index].Before);
            shared.Add(twins[index].After);
        }
        return shared;
    }

    // Of twins whose order changed only as many stay shared as keep their order: a longest increasing subsequence (Fredman 1975), by
    // patience sorting.
    private static List<int> LongestRising<T>(List<(CompiledRule<T> Before, CompiledRule<T> After)> twins)
        where T : class
    {
        var tails = new List<int>();
        int[] previous = new int[twins.Count];
        for (int i = 0; i < twins.Count; i++)
        {
            int low = 0, high = tails.Count;
            while (low < high)
            {
                int middle = (low + high) / 2;
                if (twins[tails[middle]].After.Order < twins[i].After.Order) low = middle + 1;
                else high = middle;
            }
            previous[i] = low == 0 ? -1 : tails[low - 1];
            if (low == tails.Count) tails.Add(i);
            else tails[low] = i;
        }
        var rising = new List<int>(tails.Count);
        for (int i = tails.Count == 0 ? -1 : tails[^1]; i >= 0; i = previous[i]) rising.Add(i);
        return rising;
    }

    private static bool SameMatch<T>(RouteRule<T> a, RouteRule<T> b)
        where T : class =>
        a.PathKind == b.PathKind && a.Path == b.Path && Same(a.Hosts, b.Hosts) && Same(a.Methods, b.Methods) && Same(a.Headers, b.Headers) && Same(a.Query, b.Query);

    private static bool Same<TItem>(IReadOnlyList<TItem> a, IReadOnlyList<TItem> b)
    {
        if (a.Count != b.Count) return false;
        for (int i = 0; i < a.Count; i++)
            if (!EqualityComparer<TItem>.Default.Equals(a[i], b[i])) return false;
        return true;
    }
}
