using Gateway.Config;

namespace Gateway.Command.Demo;

/// <summary>What to try with a configuration, and what each try should answer, made from the configuration itself.</summary>
internal static class DemoScript
{
    private const int MostRoutes = 8;
    private const int CommentColumn = 62;

    public static IEnumerable<string> Lines(GatewayConfig config, string file, string text, string admin, string tokenFile)
    {
        yield return "";
        if (config.Listeners.FirstOrDefault(l => l.Tls is null) is not { } listener)
        {
            yield return $"The gateway runs; its admin API is on http://{admin}. Ctrl-C stops everything.";
            yield break;
        }
        string url = $"http://{listener.Address.Replace("0.0.0.0", "127.0.0.1", StringComparison.Ordinal)}";
        yield return $"The gateway answers on {url} and takes changes on http://{admin}. Try, in another shell:";
        yield return "";
        foreach (RouteConfig route in config.Routes.Take(MostRoutes))
            if (Request(route, url) is { } request) yield return Commented(request, Expected(route));
        yield return "";
        if (Change(config, file, text) is ({ } sed, { } changed, { } pool))
        {
            yield return $"Change the configuration while it serves: route '{changed.Name}' to pool '{pool}'";
            yield return "";
            yield return $"  {sed} |";
            yield return $"    curl -H \"Authorization: Bearer $(cat {tokenFile})\" --data-binary @- http://{admin}/admin/config";
            yield return Commented(Request(changed, url)!, $"200 from pool {pool}, from the next request on");
            yield return "";
        }
        yield return "See what is live and what was, and go back:";
        yield return "";
        string where = (admin == DemoCommand.DefaultAdmin ? "" : $" --server http://{admin}") + (tokenFile == DemoCommand.DefaultTokenFile ? "" : $" --token-file {tokenFile}");
        yield return $"  bin/gatewayctl snapshot{where}";
        yield return $"  bin/gatewayctl history{where}";
        yield return Commented($"  bin/gatewayctl rollback{where}", "as it was before");
        yield return "";
        yield return "Ctrl-C stops everything.";
        yield return "";
    }

    /// <summary>A curl line that the route takes; null when it needs more than a host, a path and a method.</summary>
    private static string? Request(RouteConfig route, string url)
    {
        MatchConfig match = route.Match;
        if (match.Headers.Count > 0 || match.Query.Count > 0 || match.Path?.Regex is not null) return null;
        string method = match.Methods.Count == 0 || match.Methods.Contains("GET") ? "" : $" -X {match.Methods[0]}";
        string host = match.Hosts.Count == 0 ? "" : $" -H 'Host: {match.Hosts[0].Replace("*.", "any.", StringComparison.Ordinal)}'";
        return $"  curl{(route.Redirect is null ? "" : " -i")}{method}{host} {url}{match.Path?.Exact ?? match.Path?.Prefix ?? "/"}";
    }

    private static string Expected(RouteConfig route) =>
        route.Redirect is { } redirect ? $"{redirect.Status} to {redirect.Scheme}{(redirect.Scheme is null ? "" : "://")}{redirect.Host}{redirect.Path}"
        : route.Respond is { } respond ? $"{respond.Status} {respond.Body.ReplaceLineEndings(" ").Trim()}"
        : $"200 from pool {route.Pool}";

    /// <summary>A sed command that sends a route to another pool, for a document that has the route's name and pool on one line.</summary>
    private static (string Sed, RouteConfig Route, string Pool)? Change(GatewayConfig config, string file, string text)
    {
        string[] lines = text.Split('\n');
        foreach (RouteConfig route in config.Routes)
        {
            string name = $"\"name\": \"{route.Name}\"", from = $"\"pool\": \"{route.Pool}\"";
            if (Request(route, "") is null || config.Pools.Keys.FirstOrDefault(p => p != route.Pool) is not { } other) continue;
            if (lines.Any(l => l.Contains(name, StringComparison.Ordinal) && l.Contains(from, StringComparison.Ordinal)))
                return ($"sed '/{name}/s/{from}/\"pool\": \"{other}\"/' {file}", route, other);
        }
        return null;
    }

    private static string Commented(string command, string comment) => $"{command.PadRight(CommentColumn)} # {comment}";
}
