using Gateway.Core.Router;

namespace Gateway.Bench.Micro.Cases;

/// <summary>What the measured request meets in the table.</summary>
public enum RouteCase
{
    /// <summary>An exact path among many of one host.</summary>
    ExactPath,

    /// <summary>A prefix among many of one host.</summary>
    Prefix,

    /// <summary>A host with a route of its own among many.</summary>
    Host,

    /// <summary>A wildcard host among many.</summary>
    Wildcard,

    /// <summary>A prefix, by a path that is not in its compared form.</summary>
    EncodedPath,

    /// <summary>Nothing: a host of many routes, and a path that leaves the tree late.</summary>
    Miss,
}

/// <summary>Tables of any size in which the four common kinds of route are mixed evenly, and a request for each case.</summary>
public static class RouteCases
{
    public static RouteRule<string>[] Rules(int count, RouteCase kind)
    {
        var rules = new RouteRule<string>[count];
        // The first rule is of the measured kind, so that there is one in a table of one.
        for (int i = 0; i < count; i++) rules[i] = Rule(i, (RouteCase)(((int)Kind(kind) + i) % 4));
        return rules;
    }

    /// <summary>A request for the rule of that kind nearest the middle of the table.</summary>
    public static RouteCaseRequest Request(int count, RouteCase kind)
    {
        int i = count / 2 / 4 * 4;
        return kind switch
        {
            RouteCase.ExactPath => new("shop.example.com", $"/catalog/items/{i}/details"),
            RouteCase.Prefix => new("shop.example.com:8443", $"/api/v1/service-{i}/orders/4711"),
            RouteCase.Host => new($"service-{i}.example.com", "/orders/4711"),
            RouteCase.Wildcard => new($"eu.west.tenant-{i}.example.net", "/orders/4711"),
            RouteCase.EncodedPath => new("shop.example.com", $"/api/v1/x/../%73ervice-{i}/orders/a%20b"),
            _ => new("shop.example.com", $"/api/v1/service-{i}x/orders/4711"),
        };
    }

    private static RouteCase Kind(RouteCase kind) => kind <= RouteCase.Wildcard ? kind : RouteCase.Prefix;

    private static RouteRule<string> Rule(int i, RouteCase kind)
    {
        string name = $"route-{i}";
        return kind switch
        {
            RouteCase.ExactPath => new(name, name) { Hosts = ["shop.example.com"], PathKind = PathKind.Exact, Path = $"/catalog/items/{i}/details" },
            RouteCase.Prefix => new(name, name) { Hosts = ["shop.example.com"], PathKind = PathKind.Prefix, Path = $"/api/v1/service-{i}" },
            RouteCase.Host => new(name, name) { Hosts = [$"service-{i}.example.com"], PathKind = PathKind.Prefix, Path = "/", Methods = ["GET", "POST"] },
            _ => new(name, name) { Hosts = [$"*.tenant-{i}.example.net"], PathKind = PathKind.Prefix, Path = "/orders" },
        };
    }
}

/// <summary>A request as the data plane's adapter would show it.</summary>
public readonly struct RouteCaseRequest(string host, string path) : IRouteRequest
{
    public ReadOnlySpan<char> Host => host;
    public ReadOnlySpan<char> RawPath => path;
    public ReadOnlySpan<char> RawQuery => "page=2&sort=name";
    public string Method => "GET";

    public string? HeaderValue(string name, int index) => null;
}
