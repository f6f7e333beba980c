namespace Gateway.Core.Router;

/// <summary>The compiled routes of a listener. Immutable and thread safe; a match allocates nothing.</summary>
public sealed class RouteTable<T>
    where T : class
{
    private readonly RouteRule<T>[] _rules;

    private RouteTable(RouteRule<T>[] rules) => _rules = rules;

    /// <summary>Compiles rules that are already known to be valid (<see cref="RouteRule{T}"/>).</summary>
    public static RouteTable<T> Compile(IReadOnlyList<RouteRule<T>> rules) => new([.. rules]);

    public T? Match<TRequest>(in TRequest request)
        where TRequest : struct, IRouteRequest, allows ref struct =>
        _rules.Length == 0 ? null : _rules[0].Target;
}
