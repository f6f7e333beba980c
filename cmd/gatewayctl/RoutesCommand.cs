using System.CommandLine;
using Gateway.Client;

namespace Gateway.Ctl;

internal static class RoutesCommand
{
    private const int PageSize = 5000;

    // As many as the gateway keeps, and more.
    private const int WholeLedger = 1000;

    private static readonly Option<bool> Ledger = new("--ledger") { Description = "Show when the routes' breakers opened and closed, and why" };

    public static Command Create()
    {
        var command = new Command("routes", "Show the live routes, in the order of the document, and what their breakers, retry budgets and limits stand at") { Ledger };
        command.SetBody(async (parsed, session, cancellationToken) =>
        {
            bool ledger = parsed.GetValue(Ledger);
            RouteList list = await ReadAllAsync(session.Client, ledger ? WholeLedger : null, cancellationToken);
            if (session.Output.Json(list, ClientJson.Default.RouteList)) return;
            if (ledger) session.Output.Table(["TIME", "ROUTE", "FROM", "TO", "CAUSE", "?DETAIL"], list.Routes.SelectMany(Changes));
            else Print(session.Output, list.Routes);
        });
        return command;
    }

    private static void Print(Output output, IReadOnlyList<Route> routes)
    {
        // Most documents have none of these.
        (string Name, Func<Route, string> Of)[] states = [.. States.Where(state => routes.Any(route => state.Of(route).Length != 0))];
        output.Table(["ROUTE", "?LISTENERS", "HOSTS", "PATH", "?METHODS", "?CONDITIONS", "ACTION", .. states.Select(static state => state.Name), "NOTE"], routes.Select(r => (string[])
        [
            r.Name, string.Join(' ', r.Listeners), Any(r.Hosts), r.Path ?? "*", Any(r.Methods), string.Join(", ", r.Conditions), r.Action,
            .. states.Select(state => state.Of(r)), r.ShadowedBy ?? "",
        ]));
    }

    private static readonly (string Name, Func<Route, string> Of)[] States =
    [
        ("?BREAKER", static r => r.Breaker is { } breaker ? RouteStateText.Of(breaker) : ""),
        ("?RETRIES", static r => r.RetryBudget is { Used: > 0 } or { Refused: > 0 } ? RouteStateText.Of(r.RetryBudget) : ""),
        ("?CONCURRENCY", static r => r.Concurrency is { } concurrency ? RouteStateText.Of(concurrency) : ""),
    ];

    private static IEnumerable<string[]> Changes(Route route) =>
        (route.Breaker?.Ledger ?? []).Select(c => new[] { Output.Time(c.Time), route.Name, c.From, c.To, c.Cause, c.Detail });

    /// <summary>All pages of one version; starts again when an apply came in between.</summary>
    private static async Task<RouteList> ReadAllAsync(GatewayClient client, int? ledger, CancellationToken cancellationToken)
    {
        while (true)
        {
            RouteList first = await client.GetRoutesAsync(0, PageSize, ledger, cancellationToken);
            var routes = new List<Route>(first.Routes);
            RouteList page = first;
            while (page.Version == first.Version && page.Routes.Count > 0 && routes.Count < first.Total)
            {
                page = await client.GetRoutesAsync(routes.Count, PageSize, ledger, cancellationToken);
                routes.AddRange(page.Routes);
            }
            if (page.Version == first.Version) return first with { Routes = routes };
        }
    }

    private static string Any(IReadOnlyList<string> values) => values.Count == 0 ? "*" : string.Join(' ', values);
}
