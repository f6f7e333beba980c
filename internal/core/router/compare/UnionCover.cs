namespace Gateway.Core.Router.Compare;

/// <summary>
/// Whether several rules together take every request of another: GET and PUT each by its own, and the third rule is for GET and PUT. For
/// rules of one host and path, so that method, header and query conditions alone decide. Counterexample-guided as <see cref="RegionSearch{T}"/>
/// is: a request of the rule is made up, and where one of the others holds for it, each way to miss that one is looked at. Not thread safe.
/// </summary>
internal sealed class UnionCover<T>(RegexCache regexes)
    where T : class
{
    // With these many others a table of small groups stays near linear; what is covered by more of them is not decided.
    public const int MostOthers = 16;
    private const int MostTries = 64;

    private readonly List<CompiledRule<T>> _used = [];
    private int _tries;

    /// <summary>The rules that together take all of it, in their order; null when something is left over, or when that is not decided.</summary>
    /// <param name="host">As rules write it.</param>
    /// <param name="others">All asked before the rule, on the same host and path.</param>
    public IReadOnlyList<CompiledRule<T>>? Find(string host, CompiledRule<T> rule, ReadOnlySpan<CompiledRule<T>> others)
    {
        if (others.Length < 2 || !MayBeCovered(rule, others)) return null;
        if (others.Length > MostOthers) others = others[^MostOthers..];
        _used.Clear();
        _tries = MostTries;
        if (new RequestRegion(host, PathSpan.All).Within(rule, regexes) is not { } region || !IsCovered(region, others)) return null;
        return _used.Count == 0 ? null : [.. _used.OrderBy(static r => r)];
    }

    // Most rules differ in their methods: each of the rule's must be one of the others', and of any method there are too many for all.
    private static bool MayBeCovered(CompiledRule<T> rule, ReadOnlySpan<CompiledRule<T>> others)
    {
        if (rule.Rule.Methods.Count == 0) return Exists(others, null);
        foreach (string method in rule.Rule.Methods)
            if (!Exists(others, method)) return false;
        return true;

        static bool Exists(ReadOnlySpan<CompiledRule<T>> others, string? method)
        {
            foreach (CompiledRule<T> other in others)
                if (other.Rule.Methods.Count == 0 || (method is not null && other.Rule.Methods.Contains(method))) return true;
            return false;
        }
    }

    private bool IsCovered(RequestRegion region, ReadOnlySpan<CompiledRule<T>> others)
    {
        if (--_tries < 0) return false;
        if (region.Witness(out string? undecided) is not { } request) return undecided is null;
        foreach (CompiledRule<T> other in others)
        {
            if (!other.Holds(ref request)) continue;
            if (!_used.Contains(other)) _used.Add(other);
            // Of its host and path nothing is outside, which the region finds by itself.
            foreach (RequestRegion part in region.Without(other, regexes))
                if (!IsCovered(part, others)) return false;
            return true;
        }
        return false;
    }
}
