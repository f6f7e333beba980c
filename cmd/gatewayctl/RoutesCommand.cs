using System.CommandLine;
using Gateway.Client;

namespace Gateway.Ctl;

internal static class RoutesCommand
{
    private const int PageSize = 5000;

    public static Command Create()
    {
        var command = new Command("routes", "Show the live routes, in the order of the document");
        command.SetBody(async (_, session, cancellationToken) =>
        {
            RouteList list = await ReadAllAsync(session.Client, cancellationToken);
            if (session.Output.Json(list, ClientJson.Default.RouteList)) return;
            session.Output.Table(["ROUTE", "?LISTENERS", "HOSTS", "PATH", "?METHODS", "?CONDITIONS", "ACTION", "NOTE"], list.Routes.Select(r => new[]
            {
                r.Name, string.Join(' ', r.Listeners), Any(r.Hosts), r.Path ?? "*", Any(r.Methods), string.Join(", ", r.Conditions), r.Action,
                r.ShadowedBy ?? "",
            }));
        });
        return command;
    }

    /// <summary>All pages of one version; starts again when an apply came in between.</summary>
    private static async Task<RouteList> ReadAllAsync(GatewayClient client, CancellationToken cancellationToken)
    {
        while (true)
        {
            RouteList first = await client.GetRoutesAsync(0, PageSize, cancellationToken);
            var routes = new List<Route>(first.Routes);
            RouteList page = first;
            while (page.Version == first.Version && page.Routes.Count > 0 && routes.Count < first.Total)
            {
                page = await client.GetRoutesAsync(routes.Count, PageSize, cancellationToken);
                routes.AddRange(page.Routes);
            }
            if (page.Version == first.Version) return first with { Routes = routes };
        }
    }

    private static string Any(IReadOnlyList<string> values) => values.Count == 0 ? "*" : string.Join(' ', values);
}
