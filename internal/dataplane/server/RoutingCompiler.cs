using System.Text.RegularExpressions;
using Gateway.Config;
using Gateway.Core.Limits;
using Gateway.Core.Router;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Server;

/// <summary>The tables of routes. Listeners that serve the same routes share one.</summary>
internal sealed class RoutingCompiler(GatewayConfig config, RouteModel[] routes, TimeProvider time)
{
    public ListenerModel[] Compile(ListenerDraft[] drafts, List<ConfigError> errors, List<ConfigError> warnings)
    {
        int before = errors.Count;
        Dictionary<string, int> listeners = [];
        for (int i = 0; i < drafts.Length; i++) listeners[drafts[i].Config.Name] = i;
        RouteRule<RouteModel>[] rules = Rules(errors);
        List<(BitSet Served, RouteTable<RouteModel> Table)> tables = [];
        BitSet[] served = Served(listeners, errors);
        if (errors.Count != before) return [];

        ListenerModel[] models = new ListenerModel[drafts.Length];
        for (int i = 0; i < models.Length; i++)
        {
            ListenerDraft draft = drafts[i];
            RouteTable<RouteModel>? table = null;
            foreach ((BitSet other, RouteTable<RouteModel> built) in tables) if (other.Equals(served[i])) table = built;
            if (table is null) tables.Add((served[i], table = RouteTable<RouteModel>.Compile(served[i].Count == rules.Length ? rules : [.. rules.Where((_, r) => served[i][r])])));
            models[i] = Model(draft, table);
        }
        WarnOfShadowed(tables, warnings);
        return models;
    }

    private ListenerModel Model(ListenerDraft draft, RouteTable<RouteModel> table) => new()
    {
        Name = draft.Config.Name,
        Config = draft.Config,
        EndPoint = draft.EndPoint,
        State = draft.State,
        Tls = draft.Tls,
        Routes = table,
        TrustedProxies = draft.TrustedProxies,
        RequestRate = RateOf(draft.Config.Limits.RequestRatePerAddress, draft.State, static state => state.RequestRates),
        ConnectionRate = RateOf(draft.Config.Limits.ConnectionRatePerAddress, draft.State, static state => state.ConnectionRates),
        MaxUrlBytes = (int)draft.Config.Limits.UrlBytes.Bytes,
        MaxHeaderCount = draft.Config.Limits.HeaderCount,
        MaxHeaderBytes = (int)draft.Config.Limits.HeaderBytes.Bytes,
        MaxBodyBytes = draft.Config.Limits.BodyBytes.Bytes,
    };

    private AddressRate? RateOf(RateConfig? rate, ListenerState state, Func<ListenerState, RateTable> table) => rate is null
        ? null
        : new AddressRate(table(state), Rate.PerSecond(rate.PerSecond, rate.Burst ?? rate.PerSecond, time.TimestampFrequency), time);

    // On one listener a route may be shadowed and on another not; it is in vain only when no listener has a request for it.
    private void WarnOfShadowed(List<(BitSet Served, RouteTable<RouteModel> Table)> tables, List<ConfigError> warnings)
    {
        Dictionary<string, (ShadowedRoute First, int Tables)> shadowed = [];
        foreach ((_, RouteTable<RouteModel> table) in tables)
        {
            foreach (ShadowedRoute found in table.Shadowed)
                shadowed[found.Name] = shadowed.TryGetValue(found.Name, out (ShadowedRoute First, int Tables) before) ? (before.First, before.Tables + 1) : (found, 1);
        }
        for (int i = 0; i < routes.Length && shadowed.Count != 0; i++)
        {
            if (!shadowed.TryGetValue(routes[i].Name, out (ShadowedRoute First, int Tables) found) || found.Tables != tables.Count(table => table.Served[i])) continue;
            string takes = found.First.By is [var one] ? $"route '{one}' takes its requests. Make its match narrower than that one's" : $"routes {string.Join(", ", found.First.By.Select(static n => $"'{n}'"))} take its requests. Make its match narrower than theirs";
            warnings.Add(new ConfigError($"routes[{i}]", ConfigErrorCodes.ShadowedRoute, $"no request reaches route '{found.First.Name}': {found.First.Reason}; {takes}, or remove it"));
        }
    }

    private BitSet[] Served(Dictionary<string, int> listeners, List<ConfigError> errors)
    {
        BitSet[] served = new BitSet[listeners.Count];
        for (int i = 0; i < served.Length; i++) served[i] = new BitSet(routes.Length);
        for (int i = 0; i < routes.Length; i++)
        {
            IReadOnlyList<string> names = config.Routes[i].Listeners;
            if (names.Count == 0)
            {
                foreach (BitSet set in served) set.Add(i);
                continue;
            }
            for (int n = 0; n < names.Count; n++)
            {
                if (listeners.TryGetValue(names[n], out int listener)) served[listener].Add(i);
                else errors.Add(new ConfigError($"routes[{i}].listeners[{n}]", ConfigErrorCodes.UnknownReference, $"there is no listener '{names[n]}'; name one that is there, or leave listeners out for all of them"));
            }
        }
        return served;
    }

    private RouteRule<RouteModel>[] Rules(List<ConfigError> errors)
    {
        RouteRule<RouteModel>[] rules = new RouteRule<RouteModel>[routes.Length];
        for (int i = 0; i < rules.Length; i++)
        {
            MatchConfig match = config.Routes[i].Match;
            (PathKind kind, string path) = match.Path switch
            {
                { Exact: { } exact } => (PathKind.Exact, exact),
                { Prefix: { } prefix } => (PathKind.Prefix, prefix),
                { Regex: { } regex } => (PathKind.Regex, regex),
                _ => (PathKind.Any, "/"),
            };
            if (kind == PathKind.Regex) CheckRegex(path, errors, static i => $"routes[{i}].match.path.regex", i);
            rules[i] = new RouteRule<RouteModel>(routes[i].Name, routes[i])
            {
                Hosts = match.Hosts,
                PathKind = kind,
                Path = path,
                Methods = match.Methods,
                Headers = Conditions(match.Headers, i, "headers", errors),
                Query = Conditions(match.Query, i, "query", errors),
            };
        }
        return rules;
    }

    private static ValueCondition[] Conditions(IReadOnlyList<ValueMatchConfig> matches, int route, string where, List<ConfigError> errors)
    {
        if (matches.Count == 0) return [];
        ValueCondition[] conditions = new ValueCondition[matches.Count];
        for (int i = 0; i < conditions.Length; i++)
        {
            ValueMatchConfig match = matches[i];
            if (match.Regex is { } regex) CheckRegex(regex, errors, place => $"routes[{place}].match.{where}[{i}].regex", route);
            conditions[i] = match switch
            {
                { Value: { } value } => new ValueCondition(match.Name, ValueConditionKind.Equals, value),
                { Regex: { } pattern } => new ValueCondition(match.Name, ValueConditionKind.Regex, pattern),
                { Present: false } => new ValueCondition(match.Name, ValueConditionKind.Absent),
                _ => new ValueCondition(match.Name, ValueConditionKind.Present),
            };
        }
        return conditions;
    }

    // The table compiles it once more; the runtime keeps the parsed form of neither, and regular expressions in routes are few.
    private static void CheckRegex(string pattern, List<ConfigError> errors, Func<int, string> path, int route)
    {
        try
        {
            _ = new Regex(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception unfit) when (unfit is ArgumentException or NotSupportedException)
        {
            errors.Add(new ConfigError(path(route), ConfigErrorCodes.InvalidRegex, $"'{pattern}' cannot be used: {unfit.Message} Look-around and back-references need backtracking, which a gateway cannot afford; write it without"));
        }
    }
}
