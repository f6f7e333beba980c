namespace Gateway.Core.Router.Compare;

/// <summary>
/// Compares what two tables do with every request, exactly where regular expressions allow it: see <see cref="TableDifference{T}"/>.
/// <para>
/// The requests that differ are, for each pair of rules of which at least one is not shared (<see cref="RuleChanges"/>), those that the
/// first table gives to the one and the second to the other. Only rules whose hosts and paths overlap are paired
/// (<see cref="OverlapIndex{T}"/>), and a pair stays if a request of it is found (<see cref="RegionSearch{T}"/>). So the work goes with the
/// number of changed rules and of those that overlap them, not with the size of the tables.
/// </para>
/// </summary>
public sealed class TableComparison<T>
    where T : class
{
    // A try takes some microseconds, so all of them a second or two.
    private const int Work = 400_000;
    private const int MostUndecided = 100;

    private readonly Func<T, T, bool> _same;
    private readonly int _mostExceptions;
    private readonly HashSet<CompiledRule<T>> _shared;
    private readonly RegexCache _regexes = new();
    private readonly OverlapIndex<T> _before, _after;
    private readonly RegionSearch<T> _search;
    private readonly List<RequestClass<T>> _classes = [];
    private readonly List<UndecidedPair<T>> _undecided = [];
    private readonly List<PlacedRule<T>> _found = [];

    private TableComparison(RouteTable<T> before, RouteTable<T> after, Func<T, T, bool> same, int mostExceptions)
    {
        _same = same;
        _mostExceptions = mostExceptions;
        _shared = RuleChanges.Shared<T>(before.Rules, after.Rules, same);
        _before = new OverlapIndex<T>(before.Hosts);
        _after = new OverlapIndex<T>(after.Hosts);
        _search = new RegionSearch<T>(before, after, _regexes, Work);
    }

    /// <param name="before">The first table.</param>
    /// <param name="after">The second table.</param>
    /// <param name="same">Whether two targets treat requests the same.</param>
    /// <param name="mostExceptions">How many of its exceptions a class names.</param>
    public static TableDifference<T> Compare(RouteTable<T> before, RouteTable<T> after, Func<T, T, bool> same, int mostExceptions = 10)
    {
        var comparison = new TableComparison<T>(before, after, same, mostExceptions);
        foreach (CompiledRule<T> rule in before.Rules)
            if (!comparison._shared.Contains(rule)) comparison.Pair(rule, isBefore: true);
        // Pairs of two rules that are not shared have been seen from the first table.
        foreach (CompiledRule<T> rule in after.Rules)
            if (!comparison._shared.Contains(rule)) comparison.Pair(rule, isBefore: false);
        return new TableDifference<T> { Classes = comparison._classes, Undecided = comparison._undecided, IsComplete = !comparison._search.IsOutOfWork && comparison._undecided.Count < MostUndecided };
    }

    private void Pair(CompiledRule<T> rule, bool isBefore)
    {
        var partners = new Dictionary<CompiledRule<T>, List<string>>();
        string[] hosts = HostsOf(rule);
        foreach (string host in hosts)
        {
            _found.Clear();
            (isBefore ? _after : _before).Find(host, PathSpan.Of(rule), _found);
            foreach (PlacedRule<T> other in _found)
            {
                if (HostSpan.Intersect(host, other.Host) is not { } both || (!isBefore && !_shared.Contains(other.Rule))) continue;
                if (!partners.TryGetValue(other.Rule, out List<string>? spans)) partners.Add(other.Rule, spans = []);
                if (!spans.Contains(both, StringComparer.OrdinalIgnoreCase)) spans.Add(both);
            }
        }
        foreach ((CompiledRule<T> other, List<string> spans) in partners.OrderBy(static p => p.Key.Order))
        {
            if (_search.IsOutOfWork) return;
            if (isBefore) Decide(rule, other, spans);
            else Decide(other, rule, spans);
        }
        if (isBefore) Decide(rule, null, hosts);
        else Decide(null, rule, hosts);
    }

    private void Decide(CompiledRule<T>? first, CompiledRule<T>? second, IReadOnlyList<string> hosts)
    {
        if (first is not null && second is not null && _same(first.Rule.Target, second.Rule.Target)) return;
        var inhabited = new List<string>();
        DescribedRequest? witness = null;
        RequestRegion? region = null;
        string? undecided = null;
        foreach (string host in hosts)
        {
            region = new RequestRegion(host, PathSpan.All);
            if (first is not null) region = region.Within(first, _regexes);
            if (second is not null) region = region?.Within(second, _regexes);
            if (region is null) return;
            switch (_search.Find(region, first, second, out DescribedRequest found))
            {
                case SearchEnd.Found:
                    inhabited.Add(host);
                    witness ??= found;
                    break;
                case SearchEnd.Undecided: undecided = _search.Reason; break;
                case SearchEnd.OutOfWork: return;
            }
        }
        if (undecided is not null && _undecided.Count < MostUndecided) _undecided.Add(new UndecidedPair<T>(first?.Rule.Target, second?.Rule.Target, undecided));
        if (witness is { } known) _classes.Add(Describe(first, second, inhabited, region!.Path, known));
    }

    private RequestClass<T> Describe(CompiledRule<T>? first, CompiledRule<T>? second, List<string> hosts, PathSpan path, DescribedRequest witness)
    {
        IReadOnlyList<string> methods = first?.Rule.Methods ?? [], others = second?.Rule.Methods ?? [];
        var conditions = new RequestConditions
        {
            Hosts = hosts,
            PathKind = path.IsExact ? PathKind.Exact : path.Text.Length == 0 && IsAnyPath(first) && IsAnyPath(second) ? PathKind.Any : PathKind.Prefix,
            Path = path.Text,
            PathPatterns = [.. path.Patterns.Select(static p => p.ToString())],
            Methods = methods.Count == 0 ? others : others.Count == 0 ? methods : [.. methods.Where(others.Contains)],
            Headers = Both(first?.Rule.Headers, second?.Rule.Headers),
            Query = Both(first?.Rule.Query, second?.Rule.Query),
        };
        return new RequestClass<T>(first?.Rule.Target, second?.Rule.Target, conditions, witness)
        {
            ExceptBefore = Exceptions(_before, first, hosts, path),
            ExceptAfter = Exceptions(_after, second, hosts, path),
        };
    }

    // The rules of its table that are asked before this one on these hosts and paths; without one, all of them.
    private RouteNames Exceptions(OverlapIndex<T> index, CompiledRule<T>? rule, List<string> hosts, PathSpan path)
    {
        var names = new HashSet<string>();
        foreach (string host in hosts)
        {
            _found.Clear();
            index.Find(host, path, _found);
            string? place = rule is null ? null : HostsOf(rule).Where(h => HostSpan.Covers(h, host)).MaxBy(HostSpan.Rank);
            foreach (PlacedRule<T> other in _found)
            {
                if (!ReferenceEquals(other.Rule, rule) && (rule is null || other.Precedes(new PlacedRule<T>(place!, rule)))) names.Add(other.Rule.Rule.Name);
            }
        }
        return new RouteNames([.. names.Take(_mostExceptions)], Math.Max(0, names.Count - _mostExceptions));
    }

    private static string[] HostsOf(CompiledRule<T> rule) =>
        rule.Rule.Hosts.Count == 0 ? ["*"] : [.. rule.Rule.Hosts.Select(HostName.OfRule).Distinct(StringComparer.OrdinalIgnoreCase)];

    private static bool IsAnyPath(CompiledRule<T>? rule) => rule is null || rule.Rule.PathKind is PathKind.Any or PathKind.Regex;

    private static IReadOnlyList<ValueCondition> Both(IReadOnlyList<ValueCondition>? a, IReadOnlyList<ValueCondition>? b) =>
        a is null or { Count: 0 } ? b ?? [] : b is null or { Count: 0 } ? a : [.. a.Union(b)];
}
