using Gateway.Config.Shapes;

namespace Gateway.Config;

/// <summary>A field whose value differs.</summary>
/// <param name="Path">Within the object, as in <c>match.path.prefix</c>.</param>
/// <param name="Before">As JSON without defaults, secrets as <c>***</c>; null when the field was absent.</param>
/// <param name="After">The same of the other document.</param>
public sealed record FieldChange(string Path, string? Before, string? After);

/// <summary>An object that only one document has, or that differs, or that changed its place among its like.</summary>
/// <param name="Section">The field of the document: <c>routes</c>, <c>pools</c>, <c>accessLog</c>.</param>
/// <param name="Name">The object's name in its section; null for a section that is one object.</param>
/// <param name="Kind">What happened to it.</param>
/// <param name="Fields">Where it differs; empty unless it <see cref="ObjectChangeKind.Changed"/>.</param>
public sealed record ObjectChange(string Section, string? Name, ObjectChangeKind Kind, IReadOnlyList<FieldChange> Fields);

/// <summary>What happened to an object of a document.</summary>
public enum ObjectChangeKind
{
    /// <summary>Only the second document has it.</summary>
    Added,

    /// <summary>Only the first document has it.</summary>
    Removed,

    Changed,

    /// <summary>The same, but after or before others that it was not: routes alone, where order may decide.</summary>
    Moved,
}

/// <summary>Compares documents by what they say, object by object; formatting, key order and written-out defaults do not count. Thread safe.</summary>
public static class ConfigDifference
{
    // What a route is called and which requests it is for says nothing of what it does with them.
    private static readonly string[] NotTreatment = ["name", "listeners", "match", "expect", "overridable"];

    // What becomes of the gateway and not of requests. A section that is not here counts: better a difference that nobody meets than none where there is one.
    private static readonly string[] NotMet = ["$schema", "version", "merge", "overridable", "accessLog", "metrics", "shutdown", "replay", "rollout", "history"];

    private static readonly string[] PerRequest = ["name", "trustedProxies", "limits"];

    /// <summary>Listeners, certificates, routes and pools by name, then the rest by section; empty when the documents have the same version.</summary>
    public static IReadOnlyList<ObjectChange> Between(GatewayConfig before, GatewayConfig after)
    {
        var changes = new List<ObjectChange>();
        Add(changes, "listeners", before.Listeners, after.Listeners, static l => l.Name, isOrdered: false);
        Add(changes, "certificates", [.. before.Certificates], [.. after.Certificates], static c => c.Key, static c => c.Value);
        Add(changes, "routes", before.Routes, after.Routes, static r => r.Name, isOrdered: true);
        Add(changes, "pools", [.. before.Pools], [.. after.Pools], static p => p.Key, static p => p.Value);
        AddRest(changes, before, after);
        return changes;
    }

    /// <summary>
    /// What requests and connections meet besides routes and pools: the settings of listeners that both have, certificates that they show, and
    /// every other section but those that are about the gateway itself (logs, metrics, history, rollouts). Of files that are named, only
    /// their names are compared: what is in them is read anew by both.
    /// </summary>
    public static IReadOnlyList<ObjectChange> Settings(GatewayConfig before, GatewayConfig after)
    {
        var changes = new List<ObjectChange>();
        Add(changes, "listeners", before.Listeners, after.Listeners, static l => l.Name, isOrdered: false);
        Add(changes, "certificates", [.. before.Certificates], [.. after.Certificates], static c => c.Key, static c => c.Value);
        AddRest(changes, before, after);
        HashSet<string> shown = [.. before.Listeners.Concat(after.Listeners).SelectMany(static l => l.Tls?.Certificates ?? [])];
        return
        [
            .. changes
                .Where(c => c.Section switch
                {
                    "listeners" => c.Kind == ObjectChangeKind.Changed,
                    "certificates" => shown.Contains(c.Name!),
                    _ => !NotMet.Contains(c.Section),
                })
                .Select(static c => c with { Fields = [.. c.Fields.Where(static f => f.Path != "overridable")] })
                .Where(static c => c.Kind != ObjectChangeKind.Changed || c.Fields.Count > 0),
        ];
    }

    private static void AddRest(List<ObjectChange> changes, GatewayConfig before, GatewayConfig after)
    {
        GatewayConfig WithoutNamed(GatewayConfig config) => config with { Listeners = [], Certificates = Empty<CertificateConfig>.Map, Routes = [], Pools = Empty<PoolConfig>.Map };
        var rest = new FieldChanges();
        ConfigShapes.Root.Differ(WithoutNamed(before), WithoutNamed(after), rest);
        foreach (IGrouping<string, FieldChange> section in rest.Changes.GroupBy(static c => c.Path.Split('.', 2)[0]))
        {
            changes.Add(new ObjectChange(
                section.Key, null, ObjectChangeKind.Changed, [.. section.Select(c => c with { Path = c.Path.Length > section.Key.Length ? c.Path[(section.Key.Length + 1)..] : "" })]));
        }
    }

    /// <summary>The fields by which two routes treat requests differently: all that differ but name, listeners, match, expect and overridable.</summary>
    public static IReadOnlyList<string> Treatment(RouteConfig before, RouteConfig after) =>
        ReferenceEquals(before, after) ? [] : [.. Shape<RouteConfig>().ChangedFields(before, after).Except(NotTreatment)];

    /// <summary>Whether two pools say the same.</summary>
    public static bool Same(PoolConfig a, PoolConfig b) => Shape<PoolConfig>().Same(a.Overridable == b.Overridable ? a : a with { Overridable = b.Overridable }, b);

    /// <summary>Whether two listeners take connections alike: all but what is looked at for each request, and how long clients may take.</summary>
    public static bool SameConnections(ListenerConfig a, ListenerConfig b) => !Shape<ListenerConfig>().ChangedFields(a, b).Except(PerRequest).Any();

    private static void Add<T>(List<ObjectChange> changes, string section, IReadOnlyList<T> before, IReadOnlyList<T> after, Func<T, string> name, bool isOrdered)
        where T : class
    {
        int from = changes.Count;
        Add(changes, section, before, after, name, static item => item);
        if (!isOrdered) return;
        HashSet<string> told = [.. changes.Skip(from).Select(static c => c.Name!)];
        List<string> was = [.. before.Select(name).Where(n => !told.Contains(n))], now = [.. after.Select(name).Where(n => !told.Contains(n))];
        if (!was.SequenceEqual(now)) AddMoved(changes, section, was, now);
    }

    private static void Add<TItem, TValue>(
        List<ObjectChange> changes, string section, IReadOnlyList<TItem> before, IReadOnlyList<TItem> after, Func<TItem, string> name, Func<TItem, TValue> value)
        where TValue : class
    {
        var old = new Dictionary<string, TValue>(before.Count, StringComparer.Ordinal);
        foreach (TItem item in before) old[name(item)] = value(item);
        var kept = new HashSet<string>(after.Count, StringComparer.Ordinal);
        foreach (TItem item in after)
        {
            string key = name(item);
            _ = kept.Add(key);
            if (!old.TryGetValue(key, out TValue? was)) changes.Add(new ObjectChange(section, key, ObjectChangeKind.Added, []));
            else if (Differ(was, value(item)) is { Count: > 0 } fields) changes.Add(new ObjectChange(section, key, ObjectChangeKind.Changed, fields));
        }
        foreach (TItem item in before)
            if (!kept.Contains(name(item))) changes.Add(new ObjectChange(section, name(item), ObjectChangeKind.Removed, []));
    }

    // The fewest that, taken out and put back elsewhere, make the one order the other: all but a longest common run in order.
    private static void AddMoved(List<ObjectChange> changes, string section, List<string> was, List<string> now)
    {
        var place = new Dictionary<string, int>(was.Count, StringComparer.Ordinal);
        for (int i = 0; i < was.Count; i++) place[was[i]] = i;
        var tails = new List<int>();
        int[] previous = new int[now.Count];
        for (int i = 0; i < now.Count; i++)
        {
            int at = tails.BinarySearch(i, Comparer<int>.Create((a, b) => place[now[a]].CompareTo(place[now[b]])));
            if (at < 0) at = ~at;
            previous[i] = at == 0 ? -1 : tails[at - 1];
            if (at == tails.Count) tails.Add(i);
            else tails[at] = i;
        }
        var stays = new HashSet<int>();
        for (int i = tails.Count == 0 ? -1 : tails[^1]; i >= 0; i = previous[i]) _ = stays.Add(i);
        for (int i = 0; i < now.Count; i++)
            if (!stays.Contains(i)) changes.Add(new ObjectChange(section, now[i], ObjectChangeKind.Moved, []));
    }

    private static IReadOnlyList<FieldChange> Differ<T>(T before, T after)
        where T : class
    {
        var changes = new FieldChanges();
        Shape<T>().Differ(before, after, changes);
        return changes.Changes;
    }

    private static RecordShape<T> Shape<T>()
        where T : class => (RecordShape<T>)ConfigShapes.For(typeof(T), null);
}
