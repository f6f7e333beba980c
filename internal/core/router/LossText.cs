namespace Gateway.Core.Router;

/// <summary>Says in words which condition of a rule does not hold.</summary>
internal static class LossText
{
    private const int MostNames = 4;
    private const int LongestValue = 64;

    public static string Names(IReadOnlyList<string> names) =>
        names.Count <= MostNames ? string.Join(", ", names) : $"{string.Join(", ", names.Take(MostNames))} and {names.Count - MostNames} more";

    public static string PathOf<T>(RouteRule<T> rule)
        where T : class => rule.PathKind switch
        {
            PathKind.Exact => $"exact path {rule.Path}",
            PathKind.Prefix => $"prefix {rule.Path}",
            PathKind.Regex => $"regular expression {rule.Path}",
            _ => "any path",
        };

    public static string Path<T>(RouteRule<T> rule, ReadOnlySpan<char> path)
        where T : class => rule.PathKind switch
        {
            PathKind.Exact => $"the path is {path}; the route is for exactly {rule.Path}",
            PathKind.Prefix => $"the path is {path}; the route is for {rule.Path} and what is under it",
            _ => $"the path {path} does not match {rule.Path}",
        };

    public static string Header<TRequest>(ValueCondition condition, ref TRequest request)
        where TRequest : struct, IRouteRequest, allows ref struct
    {
        string? value = request.HeaderValue(condition.Name, 0);
        string found = value is null ? "is absent" : request.HeaderValue(condition.Name, 1) is not null ? "has several values, none of which fits" : $"is {Quote(value)}";
        return $"header {condition.Name} {(condition.Kind == ValueConditionKind.Absent ? "is there" : found)}; {Wanted(condition)}";
    }

    public static string Query(ValueCondition condition) => $"query parameter {condition.Name}: {Wanted(condition)}";

    private static string Wanted(ValueCondition condition) => condition.Kind switch
    {
        ValueConditionKind.Equals => $"it must be {Quote(condition.Text)}",
        ValueConditionKind.Regex => $"it must match {condition.Text}",
        ValueConditionKind.Present => "it must be there",
        _ => "it must not be there",
    };

    private static string Quote(string value) => value.Length <= LongestValue ? $"\"{value}\"" : $"\"{value.AsSpan(0, LongestValue)}…\"";
}
