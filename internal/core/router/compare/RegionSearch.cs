namespace Gateway.Core.Router.Compare;

/// <summary>A request that one table gives to one rule and another table to another, or why none was found.</summary>
internal enum SearchEnd
{
    Found,

    /// <summary>There certainly is none.</summary>
    Empty,

    Undecided,
    OutOfWork,
}

/// <summary>
/// Looks for a request that two tables give to two certain rules. It guesses one that meets the conditions of both, lets the tables decide
/// it, and where another rule wins goes on with each way to miss a condition of that rule: counterexample-guided, so that of thousands of
/// rules only those that really stand in the way are looked at. Not thread safe.
/// </summary>
/// <param name="work">The most requests to try.</param>
internal sealed class RegionSearch<T>(RouteTable<T> before, RouteTable<T> after, RegexCache regexes, int work)
    where T : class
{
    // One pair may not use up the work of all the others.
    private const int MostPerPair = 2000;

    private int _left = work;
    private int _leftForPair;
    private string? _undecided;

    public bool IsOutOfWork => _left <= 0;

    /// <summary>What could not be decided at the last search.</summary>
    public string Reason => _undecided ?? "";

    /// <param name="region">What meets the conditions of both.</param>
    /// <param name="first">The rule of the first table; null for none.</param>
    /// <param name="second">The rule of the second table; null for none.</param>
    public SearchEnd Find(RequestRegion region, CompiledRule<T>? first, CompiledRule<T>? second, out DescribedRequest witness)
    {
        _undecided = null;
        _leftForPair = MostPerPair;
        if (Search(region, first, second, out witness)) return SearchEnd.Found;
        if (IsOutOfWork) return SearchEnd.OutOfWork;
        return _undecided is null ? SearchEnd.Empty : SearchEnd.Undecided;
    }

    private bool Search(RequestRegion region, CompiledRule<T>? first, CompiledRule<T>? second, out DescribedRequest witness)
    {
        witness = default;
        if (_left-- <= 0) return false;
        if (_leftForPair-- <= 0)
        {
            _undecided ??= $"which requests other routes leave over, within {MostPerPair} tries";
            return false;
        }
        if (region.Witness(out string? undecided) is not { } guess)
        {
            _undecided ??= undecided;
            return false;
        }
        CompiledRule<T>? chosen = before.FindRule(guess), chosenAfter = after.FindRule(guess);
        if (ReferenceEquals(chosen, first) && ReferenceEquals(chosenAfter, second))
        {
            witness = guess;
            return true;
        }
        CompiledRule<T>? other = ReferenceEquals(chosen, first) ? chosenAfter : chosen;
        if (other is null)
        {
            // It meets the rule's conditions and matches nothing: only a path with two readings does that.
            _undecided ??= "which paths have one reading only";
            return false;
        }
        foreach (RequestRegion part in region.Without(other, regexes))
            if (Search(part, first, second, out witness)) return true;
        return false;
    }
}
