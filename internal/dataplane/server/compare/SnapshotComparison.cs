using Gateway.Config;
using Gateway.Core.Router;
using Gateway.Core.Router.Compare;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Server;

/// <summary>Compares two compiled configurations by what they do with every request: route, pool, policy, status.</summary>
internal sealed class SnapshotComparison
{
    private readonly GatewaySnapshot _before, _after;
    private readonly Dictionary<string, RouteConfig> _routesBefore, _routesAfter;

    // By name: whether a pool that both have is the same in both.
    private readonly Dictionary<string, bool> _samePools = [];

    private SnapshotComparison(GatewaySnapshot before, GatewaySnapshot after)
    {
        _before = before;
        _after = after;
        _routesBefore = before.Config.Routes.ToDictionary(static r => r.Name);
        _routesAfter = after.Config.Routes.ToDictionary(static r => r.Name);
        foreach ((string name, PoolConfig pool) in before.Config.Pools)
            if (after.Config.Pools.TryGetValue(name, out PoolConfig? other)) _samePools[name] = ConfigDifference.Same(pool, other);
    }

    public static SnapshotDifference Compare(GatewaySnapshot before, GatewaySnapshot after) => new SnapshotComparison(before, after).Run();

    private SnapshotDifference Run()
    {
        // Listeners mostly share their table of routes: each pair of tables is compared once.
        var pairs = new List<(RouteTable<RouteModel> Before, RouteTable<RouteModel> After, List<string> Names)>();
        var onlyAfter = new List<string>();
        foreach (ListenerModel listener in _after.Listeners)
        {
            if (Array.Find(_before.Listeners, l => l.Name == listener.Name) is not { } old)
            {
                onlyAfter.Add(listener.Name);
                continue;
            }
            int at = pairs.FindIndex(p => p.Before == old.Routes && p.After == listener.Routes);
            if (at >= 0) pairs[at].Names.Add(listener.Name);
            else pairs.Add((old.Routes, listener.Routes, [listener.Name]));
        }
        var differences = new List<ListenerDifference>();
        foreach ((RouteTable<RouteModel> before, RouteTable<RouteModel> after, List<string> names) in pairs)
        {
            TableDifference<RouteModel> difference = TableComparison<RouteModel>.Compare(before, after, Same);
            if (difference.IsEquivalent) continue;
            differences.Add(new ListenerDifference(
                names, [.. difference.Classes.Select(Change)], [.. difference.Undecided.Select(static u => new UndecidedOutcome(u.Before?.Name, u.After?.Name, u.Reason))], difference.IsComplete));
        }
        string[] onlyBefore = [.. _before.Listeners.Select(static l => l.Name).Where(name => !Array.Exists(_after.Listeners, l => l.Name == name))];
        return new SnapshotDifference(differences, onlyBefore, onlyAfter, Settings());
    }

    private List<SettingDifference> Settings()
    {
        var settings = new List<SettingDifference>();
        string[] all = [.. _before.Config.Listeners.Select(static l => l.Name).Intersect(_after.Config.Listeners.Select(static l => l.Name))];
        foreach (ObjectChange change in ConfigDifference.Settings(_before.Config, _after.Config))
        {
            string[] listeners = change.Section switch
            {
                "listeners" => [change.Name!],
                "certificates" => [.. all.Where(name => Shows(_before, name, change.Name!) || Shows(_after, name, change.Name!))],
                _ => all,
            };
            // Of listeners that only one has, all is told by that.
            if (listeners.Length == 0) continue;
            string what = change.Name is null ? change.Section : $"{change.Section}.{change.Name}";
            if (change.Fields.Count == 0) settings.Add(new SettingDifference(what, listeners));
            foreach (FieldChange field in change.Fields) settings.Add(new SettingDifference(field.Path.Length == 0 ? what : $"{what}.{field.Path}", listeners));
        }
        return settings;
    }

    private static bool Shows(GatewaySnapshot snapshot, string listener, string certificate) =>
        snapshot.Config.Listeners.First(l => l.Name == listener).Tls?.Certificates.Contains(certificate) == true;

    private bool Same(RouteModel before, RouteModel after) =>
        before.Name == after.Name
        && (before.Pool is null || after.Pool is null || before.Pool.Name != after.Pool.Name || _samePools[before.Pool.Name])
        && ConfigDifference.Treatment(_routesBefore[before.Name], _routesAfter[after.Name]).Count == 0;

    private OutcomeChange Change(RequestClass<RouteModel> found)
    {
        RouteOutcome? before = Outcome(found.Before, found.Witness), after = Outcome(found.After, found.Witness);
        return new OutcomeChange(before, after, What(found, before, after), found.Conditions, found.ExceptBefore, found.ExceptAfter, found.Witness);
    }

    private List<string> What(RequestClass<RouteModel> found, RouteOutcome? before, RouteOutcome? after)
    {
        var what = new List<string>();
        if (before?.Route != after?.Route) what.Add("route");
        if (before?.Pool != after?.Pool) what.Add("pool");
        if (StatusOf(before) != StatusOf(after)) what.Add("status");
        if (found.Before is not { } old || found.After is not { } now) return what;
        what.AddRange(ConfigDifference.Treatment(_routesBefore[old.Name], _routesAfter[now.Name]).Where(f => !what.Contains(f)));
        if (before!.Pool is { } pool && pool == after!.Pool && !_samePools[pool]) what.Add($"pools.{pool}");
        return what;
    }

    private static int? StatusOf(RouteOutcome? outcome) => outcome is null ? ErrorCategories.Of(ErrorCategory.NoRoute).Status : outcome.Status;

    private static RouteOutcome? Outcome(RouteModel? route, in DescribedRequest witness)
    {
        if (route is null) return null;
        var decision = new Decision(route, Decision.AnswerOf(route, witness));
        return new RouteOutcome(route.Name, decision.Pool, decision.Status);
    }
}
