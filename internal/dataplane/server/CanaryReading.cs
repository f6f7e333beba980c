using Gateway.Core.Rollout;

namespace Gateway.DataPlane.Server;

/// <summary>What a canary and the live snapshot beside it have come to, since the canary began or between two readings. Immutable.</summary>
/// <param name="Version">The candidate's.</param>
/// <param name="Percent">The share at the time of the reading.</param>
/// <param name="Elapsed">Since the canary began, or between the readings.</param>
/// <param name="All">All requests that either could have served: on a listener that the candidate has yet to change, it serves none.</param>
/// <param name="Routes">
/// <see cref="RouteCounts.NoRoute"/>, then the busiest routes by name, then <see cref="RouteCounts.Other"/>. A route that had no name in an
/// earlier reading has only what came after it. Routes of both snapshots, those that had no request left out.
/// </param>
public sealed record CanaryReading(string Version, double Percent, TimeSpan Elapsed, RouteCounts All, IReadOnlyList<RouteCounts> Routes)
{
    /// <summary>What has come since an earlier reading of the same canary.</summary>
    public CanaryReading Since(CanaryReading earlier)
    {
        Dictionary<string, RouteCounts> before = earlier.Routes.ToDictionary(static route => route.Route, StringComparer.Ordinal);
        return this with
        {
            Elapsed = Elapsed - earlier.Elapsed,
            All = All.Since(earlier.All),
            Routes = [.. Routes.Select(route => before.TryGetValue(route.Route, out RouteCounts? known) ? route.Since(known) : route)],
        };
    }
}
