namespace Gateway.Core.Router.Compare;

/// <summary>
/// The requests that one table gives to one route and another table to another: those that meet all of the conditions, which are those of
/// both routes together, and that no route of <see cref="ExceptBefore"/> takes in the first table and none of <see cref="ExceptAfter"/> in
/// the second.
/// </summary>
/// <param name="Before">The target in the first table; null when nothing matches there.</param>
/// <param name="After">The target in the second table; null when nothing matches there.</param>
/// <param name="Witness">One of them, decided by both tables.</param>
public sealed record RequestClass<T>(T? Before, T? After, RequestConditions Conditions, DescribedRequest Witness)
    where T : class
{
    /// <summary>Routes of the first table that come before <see cref="Before"/> and may take requests that meet the conditions.</summary>
    public required RouteNames ExceptBefore { get; init; }

    /// <summary>The same for the second table and <see cref="After"/>.</summary>
    public required RouteNames ExceptAfter { get; init; }
}

/// <summary>What requests have in common, as rules say it; all of it holds.</summary>
public sealed record RequestConditions
{
    /// <summary>Exact hosts, wildcards, or <c>*</c> for any; never empty.</summary>
    public required IReadOnlyList<string> Hosts { get; init; }

    /// <summary>With <see cref="Path"/>, in its strict form; <see cref="PathKind.Any"/> for no condition.</summary>
    public required PathKind PathKind { get; init; }

    /// <summary>Without its final slash when it is a prefix, so empty for everything.</summary>
    public required string Path { get; init; }

    /// <summary>Regular expressions that the path matches besides.</summary>
    public required IReadOnlyList<string> PathPatterns { get; init; }

    /// <summary>Empty for any.</summary>
    public required IReadOnlyList<string> Methods { get; init; }

    public required IReadOnlyList<ValueCondition> Headers { get; init; }
    public required IReadOnlyList<ValueCondition> Query { get; init; }
}

/// <summary>Some names, and how many there are besides.</summary>
public sealed record RouteNames(IReadOnlyList<string> Names, int More);

/// <summary>Two routes of which it is not known whether a request goes from one to the other.</summary>
/// <param name="Before">Null for no route, as in <see cref="RequestClass{T}"/>.</param>
/// <param name="After">Null for no route.</param>
/// <param name="Reason">What could not be decided, for a person, without full stop.</param>
public sealed record UndecidedPair<T>(T? Before, T? After, string Reason)
    where T : class;

/// <summary>
/// Where two tables differ. Nothing here, and <see cref="IsComplete"/>: the tables are equivalent.
/// <para>
/// Exact for requests whose path has one reading (<see cref="PathForm"/>), which all but hostile ones have: each of those that the tables
/// treat differently is in a class or belongs to an undecided pair, and each that is in a class is treated differently. A path with two
/// readings can change its outcome only if one of its readings is in a class.
/// </para>
/// </summary>
public sealed record TableDifference<T>
    where T : class
{
    /// <summary>Disjoint; those of rules of the first table first, in document order.</summary>
    public required IReadOnlyList<RequestClass<T>> Classes { get; init; }

    public required IReadOnlyList<UndecidedPair<T>> Undecided { get; init; }

    /// <summary>False when the comparison ended at its limit of work, so that there may be more classes than these.</summary>
    public required bool IsComplete { get; init; }

    public bool IsEquivalent => IsComplete && Classes.Count == 0 && Undecided.Count == 0;
}
