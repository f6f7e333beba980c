namespace Gateway.Functional.Tests.Harness;

/// <summary>Configuration documents, as short as a test can say them.</summary>
internal static class Doc
{
    public const string WebListener = """{ "name": "web", "address": "127.0.0.1:0" }""";

    /// <summary>One listener "web", one route "all", one pool "main".</summary>
    public static string Proxy(params string[] endpoints) => Of(routes: Route("all"), pools: Pool("main", endpoints));

    public static string Of(string routes, string pools, string listeners = WebListener, string more = "") =>
        $$"""{ "version": "v1", "listeners": [ {{listeners}} ], "routes": [ {{routes}} ], "pools": { {{pools}} }{{(more.Length > 0 ? ", " + more : "")}} }""";

    /// <param name="match">The content of the match object.</param>
    /// <param name="more">More members of the route.</param>
    public static string Route(string name, string match = "", string pool = "main", string more = "") =>
        $$"""{ "name": "{{name}}", "match": { {{match}} }, "pool": "{{pool}}"{{(more.Length > 0 ? ", " + more : "")}} }""";

    public static string Pool(string name, params string[] endpoints) => PoolWith(name, "", endpoints);

    /// <param name="more">More members of the pool.</param>
    public static string PoolWith(string name, string more, params string[] endpoints) =>
        $$"""
        "{{name}}": { "endpoints": [ {{string.Join(", ", endpoints.Select(e => $$"""{ "address": "{{e}}" }"""))}} ]{{(more.Length > 0 ? ", " + more : "")}} }
        """;

    public static string Host(string host) => $"\"hosts\": [\"{host}\"]";

    public static string Prefix(string prefix) => $$"""
        "path": { "prefix": "{{prefix}}" }
        """;

    public static string Exact(string path) => $$"""
        "path": { "exact": "{{path}}" }
        """;

    public const string NoAccessLog = "\"accessLog\": { \"output\": \"off\" }";

    /// <summary>An HTTP/1.1 request without a body.</summary>
    public static string Get(string target = "/", string host = "gateway.test", string headers = "", string method = "GET") =>
        $"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n";

    /// <summary>An HTTP/1.1 request with a body and its length.</summary>
    public static string Post(string target, string body, string host = "gateway.test", string headers = "") =>
        $"POST {target} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {body.Length}\r\n\r\n{body}";
}
