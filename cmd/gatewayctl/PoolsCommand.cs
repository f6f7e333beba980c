using System.CommandLine;
using System.Globalization;
using Gateway.Client;

namespace Gateway.Ctl;

internal static class PoolsCommand
{
    public static Command Create()
    {
        var command = new Command("pools", "Show the pools and what their endpoints do now");
        command.SetBody(async (_, session, cancellationToken) =>
        {
            PoolList list = await session.Client.GetPoolsAsync(cancellationToken);
            if (session.Output.Json(list, ClientJson.Default.PoolList)) return;
            Print(session.Output, list.Pools);
        });
        return command;
    }

    public static void Print(Output output, IEnumerable<Pool> pools) => output.Table(
        ["POOL", "?PROTOCOL", "?BALANCING", "ENDPOINT", "?#WEIGHT", "STATE", "#IN FLIGHT", "#ATTEMPTS", "#FAILURES", "#CONNECTIONS"], pools.SelectMany(Rows));

    private static IEnumerable<string[]> Rows(Pool pool)
    {
        if (pool.Endpoints.Count == 0) yield return [pool.Name, pool.Protocol, pool.LoadBalancing, "(none)", "", "", "", "", "", ""];
        foreach (PoolEndpoint e in pool.Endpoints)
        {
            yield return
            [
                pool.Name, pool.Protocol, pool.LoadBalancing, e.Address, Text(e.Weight), e.Healthy ? "ok" : "unhealthy",
                Text(e.InFlight), Text(e.Attempts), Text(e.Failures), Text(e.Connections),
            ];
        }
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
