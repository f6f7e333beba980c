using System.CommandLine;
using System.Globalization;
using Gateway.Client;

namespace Gateway.Ctl;

internal static class PoolsCommand
{
    // As many as the gateway keeps, and more.
    private const int WholeLedger = 1000;

    private static readonly Argument<string?> Name = new("name") { Description = "The pool; all without it", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<bool> Ledger = new("--ledger") { Description = "Show what has changed in the health of the endpoints, and why" };

    public static Command Create()
    {
        var command = new Command("pools", "Show the pools and what their endpoints do now") { Name, Ledger };
        command.SetBody(async (parsed, session, cancellationToken) =>
        {
            bool ledger = parsed.GetValue(Ledger);
            PoolList list = await session.Client.GetPoolsAsync(parsed.GetValue(Name), ledger ? WholeLedger : null, cancellationToken);
            if (session.Output.Json(list, ClientJson.Default.PoolList)) return;
            if (ledger) session.Output.Table(["TIME", "POOL", "ENDPOINT", "FROM", "TO", "CAUSE", "?DETAIL"], list.Pools.SelectMany(Changes));
            else Print(session.Output, list.Pools);
        });
        return command;
    }

    public static void Print(Output output, IEnumerable<Pool> pools)
    {
        Column[] columns = [.. Columns.Where(c => c.IsAlways || pools.SelectMany(static p => p.Endpoints).Any(e => c.Of(e).Length != 0))];
        output.Table(["POOL", "?PROTOCOL", "?BALANCING", .. columns.Select(static c => c.Name)], pools.SelectMany(p => Rows(p, columns)));
    }

    /// <param name="IsAlways">Shown also when no endpoint has anything in it.</param>
    private sealed record Column(string Name, Func<PoolEndpoint, string> Of, bool IsAlways = true);

    private static readonly Column[] Columns =
    [
        new("ENDPOINT", static e => e.Address),
        new("?ZONE", static e => e.Zone ?? "", IsAlways: false),
        new("?#PRIORITY", static e => e.Priority == 0 ? "" : Text(e.Priority), IsAlways: false),
        new("?#WEIGHT", static e => Text(e.Weight)),
        new("?#RAMP", static e => e.RampPercent == 100 ? "" : $"{Text(e.RampPercent)}%", IsAlways: false),
        new("STATE", static e => e.Healthy ? "ok" : e.State),
        new("#IN FLIGHT", static e => Text(e.InFlight)),
        new("#ATTEMPTS", static e => Text(e.Attempts)),
        new("#FAILURES", static e => Text(e.Failures)),
        new("?#ERRORS", static e => Text(e.Errors)),
        new("#CONNECTIONS", static e => Text(e.Connections)),
        new("?WHY", Why),
    ];

    private static IEnumerable<string[]> Rows(Pool pool, Column[] columns)
    {
        string name = pool.Panic ? $"{pool.Name} (panic)" : pool.Name;
        if (pool.Endpoints.Count == 0) yield return [name, pool.Protocol, pool.LoadBalancing, "(none)", .. Enumerable.Repeat("", columns.Length - 1)];
        foreach (PoolEndpoint endpoint in pool.Endpoints) yield return [name, pool.Protocol, pool.LoadBalancing, .. columns.Select(c => c.Of(endpoint))];
    }

    private static string Why(PoolEndpoint endpoint)
    {
        if (endpoint.Healthy) return endpoint.Reason switch
        {
            "standby" => "standby: better ones are enough",
            "no_weight" => "its weight is 0",
            _ => "",
        };
        if (endpoint.LastChange is not { } change) return "";
        string until = change.Until is { } end ? $", until {end.UtcDateTime:HH:mm:ss}" : "";
        return string.Create(CultureInfo.InvariantCulture, $"since {change.Time.UtcDateTime:HH:mm:ss}{until}: {change.Detail}");
    }

    private static IEnumerable<string[]> Changes(Pool pool) =>
        pool.Ledger.Select(c => new[] { Output.Time(c.Time), pool.Name, c.Endpoint ?? "(pool)", c.From, c.To, c.Cause, c.Detail });

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
