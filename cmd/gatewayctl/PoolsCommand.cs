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

    public static void Print(Output output, IEnumerable<Pool> pools) => output.Table(
        ["POOL", "?PROTOCOL", "?BALANCING", "ENDPOINT", "?#WEIGHT", "STATE", "#IN FLIGHT", "#ATTEMPTS", "#FAILURES", "?#ERRORS", "#CONNECTIONS", "?WHY"], pools.SelectMany(Rows));

    private static IEnumerable<string[]> Rows(Pool pool)
    {
        string name = pool.Panic ? $"{pool.Name} (panic)" : pool.Name;
        if (pool.Endpoints.Count == 0) yield return [name, pool.Protocol, pool.LoadBalancing, "(none)", "", "", "", "", "", "", "", ""];
        foreach (PoolEndpoint e in pool.Endpoints)
        {
            yield return
            [
                name, pool.Protocol, pool.LoadBalancing, e.Address, Text(e.Weight), e.Healthy ? "ok" : e.State,
                Text(e.InFlight), Text(e.Attempts), Text(e.Failures), Text(e.Errors), Text(e.Connections), Why(e),
            ];
        }
    }

    private static string Why(PoolEndpoint endpoint)
    {
        if (endpoint.Healthy || endpoint.LastChange is not { } change) return "";
        string until = change.Until is { } end ? $", until {end.UtcDateTime:HH:mm:ss}" : "";
        return string.Create(CultureInfo.InvariantCulture, $"since {change.Time.UtcDateTime:HH:mm:ss}{until}: {change.Detail}");
    }

    private static IEnumerable<string[]> Changes(Pool pool) =>
        pool.Ledger.Select(c => new[] { Output.Time(c.Time), pool.Name, c.Endpoint ?? "(pool)", c.From, c.To, c.Cause, c.Detail });

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
