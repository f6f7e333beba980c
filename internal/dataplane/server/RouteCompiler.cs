using Gateway.Config;
using Gateway.DataPlane.Policy;
using Gateway.DataPlane.Policy.Explain;
using Gateway.DataPlane.Policy.Overload;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Server;

/// <summary>Routes with their pools and filters.</summary>
/// <param name="trial">Null unless it is for a candidate to be tried beside the live snapshot.</param>
internal sealed class RouteCompiler(StateRegistry registry, TimeProvider time, CanaryStates? trial)
{
    public RouteModel[] Compile(GatewayConfig config, PoolModel[] pools, List<ConfigError> errors)
    {
        IReadOnlyList<RouteConfig> routes = config.Routes;
        IRequestFilter? explainHeader = ExplainFeature.Of(config.Debug, time, errors);
        Dictionary<string, PoolModel> byName = new(pools.Length);
        foreach (PoolModel pool in pools) byName[pool.Name] = pool;
        HashSet<string> names = new(routes.Count);
        AttemptPlans plans = new();
        RouteModel[] models = new RouteModel[routes.Count];
        for (int i = 0; i < models.Length; i++)
        {
            RouteConfig route = routes[i];
            if (!names.Add(route.Name))
                errors.Add(new ConfigError($"routes[{i}].name", ConfigErrorCodes.DuplicateName, $"there is another route '{route.Name}'; names are unique, choose another"));
            PoolModel? pool = null;
            if (route.Pool is not null && !byName.TryGetValue(route.Pool, out pool))
                errors.Add(new ConfigError($"routes[{i}].pool", ConfigErrorCodes.UnknownReference, $"there is no pool '{route.Pool}'; add it under pools, or name one that is there"));
            ushort own = trial?.OfRoutes ?? 0;
            RouteState state = registry.FindRoute(new StateRegistry.NameKey(route.Name, own)) ?? new RouteState(route.Name, registry.Metrics.Route(route.Name)) { Trial = own };
            PriorityRule priority = OverloadFeature.PriorityOf(route);
            models[i] = new RouteModel
            {
                Name = route.Name,
                Pool = pool,
                Filters = BuiltInFeatures.Compile(new FeatureSite(route, state, priority, time, explainHeader, $"routes[{i}]", errors)),
                MaxBodyBytes = route.BodyBytes?.Bytes,
                RequestTimeout = OrInfinite(route.Timeouts.Request),
                AttemptTimeout = OrInfinite(route.Timeouts.Attempt),
                IdleTimeout = OrInfinite(route.Timeouts.Idle),
                Attempts = pool is null ? null : plans.Compile(route),
                Priority = priority,
                State = state,
            };
        }
        return models;
    }

    private static TimeSpan OrInfinite(TimeSpan configured) => configured == TimeSpan.Zero ? Timeout.InfiniteTimeSpan : configured;
}
