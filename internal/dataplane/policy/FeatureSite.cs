using Gateway.Config;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Policy;

/// <summary>Where a feature is compiled.</summary>
/// <param name="State">The route's, shared with the snapshots that have it.</param>
/// <param name="Priority">How important the route's requests are.</param>
/// <param name="Time">The clock of the requests' timestamps.</param>
/// <param name="ExplainHeader">The document's; null when it is off.</param>
/// <param name="Path">The route's place in the document, for the errors.</param>
internal readonly record struct FeatureSite(
    RouteConfig Route, RouteState State, PriorityRule Priority, TimeProvider Time, IRequestFilter? ExplainHeader, string Path, ICollection<ConfigError> Errors);
