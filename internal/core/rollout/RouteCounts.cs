namespace Gateway.Core.Rollout;

/// <summary>What became of the requests of one route, side by side. Immutable.</summary>
/// <param name="Route">Its name; or <see cref="NoRoute"/>, <see cref="Other"/>, <see cref="All"/>.</param>
public sealed record RouteCounts(string Route, VariantCounts Stable, VariantCounts Canary)
{
    /// <summary>
    /// Requests that found no route: <see cref="VariantCounts.Requests"/> is all requests of the variant, and
    /// <see cref="VariantCounts.Failures"/> those of them that were answered 404 for it.
    /// </summary>
    public const string NoRoute = "(none)";

    /// <summary>All routes that have no counts of their own.</summary>
    public const string Other = "other";

    /// <summary>All requests of the variant. Those that found no route are not among its failures.</summary>
    public const string All = "(all)";

    /// <inheritdoc cref="VariantCounts.Since"/>
    public RouteCounts Since(RouteCounts earlier) => new(Route, Stable.Since(earlier.Stable), Canary.Since(earlier.Canary));
}
