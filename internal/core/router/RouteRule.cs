namespace Gateway.Core.Router;

/// <summary>One route as the router compiles it: conditions, and the target it stands for.</summary>
public sealed record RouteRule<T>(string Name, T Target)
    where T : class
{
    /// <summary>Exact hosts and wildcards (<c>*.example.com</c>), without port, any case. Empty: any host.</summary>
    public IReadOnlyList<string> Hosts { get; init; } = [];

    public PathKind PathKind { get; init; } = PathKind.Any;

    /// <summary>The exact path, the prefix, or the regular expression, by <see cref="PathKind"/>.</summary>
    public string Path { get; init; } = "/";

    /// <summary>Empty: any method. Compared with case.</summary>
    public IReadOnlyList<string> Methods { get; init; } = [];

    public IReadOnlyList<ValueCondition> Headers { get; init; } = [];
    public IReadOnlyList<ValueCondition> Query { get; init; } = [];
}

public enum PathKind : byte
{
    Any,
    Exact,
    Prefix,
    Regex,
}

public enum ValueConditionKind : byte
{
    Equals,
    Regex,
    Present,
    Absent,
}

/// <summary>A condition on a named header field or query parameter; <paramref name="Text"/> is the value or the regular expression.</summary>
public sealed record ValueCondition(string Name, ValueConditionKind Kind, string Text = "");
