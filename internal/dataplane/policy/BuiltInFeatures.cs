using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Policy;

/// <summary>
/// THE ordered list of what a route may have done to its requests before they are forwarded. A line's position is its place in the
/// pipeline. Each feature validates and compiles its part of a route; what a route does not use is absent from its filters.
/// </summary>
internal static class BuiltInFeatures
{
    private delegate IRequestFilter? Feature(in FeatureSite site);

    private static readonly Feature[] InOrder =
    [
        Explain.ExplainFeature.Compile,
        Redirect.RedirectFeature.Compile,
        Respond.RespondFeature.Compile,
        Overload.OverloadFeature.Compile,
    ];

    public static IRequestFilter[] Compile(in FeatureSite site)
    {
        List<IRequestFilter>? filters = null;
        foreach (Feature feature in InOrder)
        {
            if (feature(site) is { } filter) (filters ??= []).Add(filter);
        }
        return filters?.ToArray() ?? [];
    }
}
