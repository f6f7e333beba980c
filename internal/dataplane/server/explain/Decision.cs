using Gateway.Core.Router;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Server;

/// <summary>
/// What becomes of a request as far as the request alone decides it: route and filters, before any endpoint is picked. The same table and
/// the same filters as for a real one.
/// </summary>
internal readonly record struct Decision(RouteModel? Route, FilterEffect? Answer)
{
    /// <summary>The status that the gateway answers by itself; null when the request is forwarded.</summary>
    public int? Status => Route is null ? ErrorCategories.Of(ErrorCategory.NoRoute).Status : Answer?.Status;

    /// <summary>The pool's name; null when it is not forwarded.</summary>
    public string? Pool => Answer is null ? Route?.Pool?.Name : null;

    public static Decision Of(ListenerModel listener, in DescribedRequest request)
    {
        RouteModel? route = listener.Routes.Match(request);
        return new Decision(route, route is null ? null : AnswerOf(route, request));
    }

    /// <summary>The effect of the filter that answers; null when none does.</summary>
    public static FilterEffect? AnswerOf(RouteModel route, in DescribedRequest request)
    {
        foreach (IRequestFilter filter in route.Filters)
        {
            FilterEffect effect = filter.Explain(request);
            if (effect.Status is not null) return effect;
        }
        return null;
    }
}
