using Gateway.Config;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Policy.Overload;

/// <summary>A bound on how many requests of a route run at once.</summary>
internal static class OverloadFeature
{
    public static IRequestFilter? Compile(in FeatureSite site) => site.Route.Overload is { } overload ? new OverloadFilter(overload, site) : null;

    /// <summary>The route's priorities, which also count when the whole process is overloaded.</summary>
    public static PriorityRule PriorityOf(RouteConfig route) =>
        route.Overload?.Priority is { } priority ? new PriorityRule(priority.Header, priority.Level) : PriorityRule.Default;
}
