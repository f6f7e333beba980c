using System.Buffers;
using System.Runtime.CompilerServices;

namespace Gateway.Core.Router;

/// <summary>
/// The compiled routes of a listener. Immutable and thread safe; a match allocates nothing and costs the same whatever the number of routes.
/// Two things do cost more: regular expressions of one host, and rules of one host and path that no value of a header field tells apart,
/// are asked one after another; and when two threads are in one regular expression at once, the runtime makes the second a matcher of its own.
/// <para>
/// <b>Precedence</b> (Gateway API): exact host, longer wildcard, any host; then exact path, longest prefix of whole segments (<c>/</c> is the
/// shortest), regular expressions, no path condition; then a method condition, more header conditions, more query conditions, document order.
/// A rule whose method, header or query conditions do not hold is passed over for the next best, across kinds of path and across levels of
/// host: <c>POST /x</c> reaches <c>*.example.com</c> when <c>a.example.com</c> has rules for GET only. HEAD is not GET.
/// </para>
/// <para>
/// <b>Paths</b> are compared in the strict form of <see cref="PathForm"/>. A path that a generous upstream may read differently (encoded or
/// back slashes, empty segments, path parameters) must choose the same rule in both forms, else nothing matches; except that a rule for
/// exactly this path, or under a prefix that is itself so written, says which reading is meant. A target that is not a path (<c>*</c>, or
/// CONNECT's authority) matches only rules without a path condition.
/// </para>
/// </summary>
public sealed class RouteTable<T>
    where T : class
{
    private const int OnStack = 512;

    private readonly CompiledRule<T>[] _rules;
    private readonly HostTable<T> _hosts;

    private RouteTable(CompiledRule<T>[] rules, HostTable<T> hosts, IReadOnlyList<ShadowedRoute> shadowed)
    {
        _rules = rules;
        _hosts = hosts;
        Shadowed = shadowed;
    }

    /// <summary>Rules that certainly no request can reach, in document order.</summary>
    public IReadOnlyList<ShadowedRoute> Shadowed { get; }

    /// <summary>Compiles rules that are already known to be valid (<see cref="RouteRule{T}"/>).</summary>
    public static RouteTable<T> Compile(IReadOnlyList<RouteRule<T>> rules)
    {
        var compiled = new CompiledRule<T>[rules.Count];
        var regexes = new RegexCache();
        for (int i = 0; i < compiled.Length; i++) compiled[i] = new CompiledRule<T>(rules[i], i, regexes);
        var shadows = new ShadowFinder<T>(regexes);
        HostTable<T> hosts = HostTable<T>.Build(compiled, shadows);
        return new RouteTable<T>(compiled, hosts, shadows.Result());
    }

    /// <summary>The target of the rule that the request matches; null for none.</summary>
    public T? Match<TRequest>(in TRequest request)
        where TRequest : struct, IRouteRequest, allows ref struct => Match(in request, out _);

    /// <param name="request">The request.</param>
    /// <param name="twoReadings">Nothing matched, because the path can be read in two ways that choose different rules.</param>
    public T? Match<TRequest>(in TRequest request, out bool twoReadings)
        where TRequest : struct, IRouteRequest, allows ref struct => Find(in request, out twoReadings)?.Rule.Target;

    /// <summary>The target of the rule that the request matches, as <see cref="Match{TRequest}(in TRequest)"/> chooses it, and why. For people: it looks at every rule.</summary>
    /// <param name="limit">The most candidates to name.</param>
    public (T? Target, RouteExplanation Explanation) Explain<TRequest>(in TRequest request, int limit)
        where TRequest : struct, IRouteRequest, allows ref struct
    {
        ref TRequest r = ref Unsafe.AsRef(in request);
        CompiledRule<T>? winner = Find(in request, out bool twoReadings);
        ReadOnlySpan<char> raw = r.RawPath;
        bool isPath = raw.Length != 0 && raw[0] == '/';
        string path = isPath ? PathForm.OfRequest(raw) : "";
        string lax = isPath ? PathForm.LaxOfRule(raw.ToString()) : "";
        CompiledRule<T>? refused = twoReadings ? _hosts.Find(HostName.OfRequest(r.Host), path, ref r) : null;
        return (winner?.Rule.Target, new RouteExplanation
        {
            Path = path,
            OtherReading = lax == path ? null : lax,
            TwoReadings = twoReadings,
            Candidates = new RouteExplainer<T>(_rules, _hosts, limit).Explain(winner, refused, path, ref r),
            Routes = _rules.Length,
        });
    }

    internal ReadOnlySpan<CompiledRule<T>> Rules => _rules;

    internal HostTable<T> Hosts => _hosts;

    /// <summary>The rule behind <see cref="Match{TRequest}(in TRequest)"/>.</summary>
    internal CompiledRule<T>? FindRule(in DescribedRequest request) => Find(in request, out _);

    private CompiledRule<T>? Find<TRequest>(in TRequest request, out bool twoReadings)
        where TRequest : struct, IRouteRequest, allows ref struct
    {
        twoReadings = false;
        // The implementation's members read only; through a readonly reference each call would first copy the struct.
        ref TRequest r = ref Unsafe.AsRef(in request);
        ReadOnlySpan<char> host = HostName.OfRequest(r.Host);
        ReadOnlySpan<char> path = r.RawPath;
        if (path.Length == 0 || path[0] != '/') return _hosts.Find(host, default, ref r);
        if (PathForm.IsPlain(path)) return _hosts.Find(host, path, ref r);
        return FindByForms(host, path, ref r, out twoReadings);
    }

    private CompiledRule<T>? FindByForms<TRequest>(scoped ReadOnlySpan<char> host, scoped ReadOnlySpan<char> raw, ref TRequest request, out bool twoReadings)
        where TRequest : struct, IRouteRequest, allows ref struct
    {
        char[]? rented = null;
        Span<char> buffer = raw.Length <= OnStack ? stackalloc char[OnStack] : rented = ArrayPool<char>.Shared.Rent(raw.Length);
        CompiledRule<T>? found = _hosts.Find(host, buffer[..PathForm.Strict(raw, buffer, out bool hasLaxReading)], ref request);
        twoReadings = false;
        if (hasLaxReading && found is not null && found.Rule.PathKind != PathKind.Exact)
        {
            ReadOnlySpan<char> lax = buffer[..PathForm.Lax(raw, buffer)];
            bool agreed = (found.LaxPrefix is not null && PathForm.IsUnder(lax, found.LaxPrefix))
                || ReferenceEquals(_hosts.Find(host, lax, ref request), found);
            twoReadings = !agreed;
        }
        if (rented is not null) ArrayPool<char>.Shared.Return(rented);
        return twoReadings ? null : found;
    }
}
