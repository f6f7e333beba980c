using System.Net;
using Gateway.Config;
using Gateway.Core.Router;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Server;

/// <summary>Says what a snapshot would do with a request, without doing it.</summary>
internal static class Explainer
{
    /// <param name="problem">Why there is no answer, for a person.</param>
    /// <param name="time">The requests' clock, of a snapshot that serves requests; null for another one, whose mechanisms stand at nothing.</param>
    public static Explanation? Explain(GatewaySnapshot snapshot, IReadOnlyList<ListenerStatus> running, ExplainQuery query, out string problem, TimeProvider? time = null)
    {
        ListenerModel? listener = ListenerChoice.For(snapshot, running, query.Request, query.Listener is null ? [] : [query.Listener], out problem);
        return listener is null ? null : Explain(snapshot.Version, listener, query, problem, time);
    }

    public static Explanation Explain(string version, ListenerModel listener, ExplainQuery query, string listenerReason, TimeProvider? time = null)
    {
        (RouteModel? route, RouteExplanation choice) = listener.Routes.Explain(query.Request, query.Candidates);
        var explanation = new Explanation(version, listener.Name, listenerReason, choice)
        {
            ClientIsTrustedProxy = query.ClientIp is null ? null : IsTrusted(query.ClientIp, listener.TrustedProxies),
        };
        if (route is null)
        {
            ref readonly ErrorCategories.Facts facts = ref ErrorCategories.Of(ErrorCategory.NoRoute);
            return explanation with { Category = facts.Label, Status = facts.Status };
        }
        var filters = new List<ExplainedFilter>(route.Filters.Length);
        FilterEffect? answer = null;
        foreach (IRequestFilter filter in route.Filters)
        {
            FilterEffect effect = filter.Explain(query.Request);
            filters.Add(new ExplainedFilter(effect.Name, effect.Text));
            if (effect.Status is null) continue;
            answer = effect;
            break;
        }
        return explanation with
        {
            Route = route.Name,
            Status = answer?.Status,
            Headers = answer?.Headers ?? [],
            Filters = filters,
            Pool = answer is null && route.Pool is { } pool ? PoolStatuses.Of(pool) : null,
            State = time is null ? null : RouteStatuses.Of(route, time),
            Limits = new ExplainedLimits(
                listener.MaxUrlBytes, listener.MaxHeaderCount, listener.MaxHeaderBytes, route.MaxBodyBytes ?? listener.MaxBodyBytes,
                Finite(route.RequestTimeout), Finite(route.AttemptTimeout), Finite(route.IdleTimeout))
            {
                Connections = listener.Config.Limits.Connections,
                ConnectionsPerAddress = listener.Config.Limits.ConnectionsPerAddress,
                ConnectionRatePerAddress = RateOf(listener.Config.Limits.ConnectionRatePerAddress),
                RequestRatePerAddress = RateOf(listener.Config.Limits.RequestRatePerAddress),
            },
        };
    }

    private static ExplainedRate? RateOf(RateConfig? rate) => rate is null ? null : new ExplainedRate(rate.PerSecond, rate.Burst ?? rate.PerSecond);

    private static TimeSpan? Finite(TimeSpan time) => time == Timeout.InfiniteTimeSpan ? null : time;

    private static bool IsTrusted(IPAddress client, IPNetwork[] trusted) =>
        Array.Exists(trusted, network => network.Contains(client.IsIPv4MappedToIPv6 ? client.MapToIPv4() : client));
}
