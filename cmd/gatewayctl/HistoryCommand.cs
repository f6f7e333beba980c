using System.CommandLine;
using System.Globalization;
using Gateway.Client;

namespace Gateway.Ctl;

internal static class HistoryCommand
{
    public static Command Create()
    {
        var limit = new Option<int>("--limit") { Description = "Entries to show, newest first", HelpName = "N", DefaultValueFactory = _ => 20 };
        var version = new Option<string>("--of") { Description = "Only entries of this version; its first characters are enough", HelpName = "VERSION" };
        var source = new Option<string>("--source") { Description = "Only what came from there: file, admin, bundle, rollback, last-good", HelpName = "SOURCE" };
        Option<string> result = new Option<string>("--result") { Description = "Only attempts that ended so" }.AcceptOnlyFromAmong("applied", "rejected");
        var since = new Option<DateTimeOffset?>("--since") { Description = "Only from this time on", HelpName = "TIME", CustomParser = TimeOption.Read };
        var until = new Option<DateTimeOffset?>("--until") { Description = "Only before this time", HelpName = "TIME", CustomParser = TimeOption.Read };
        var command = new Command("history", "Show the last applies and rollbacks") { limit, version, source, result, since, until };
        command.SetBody(async (parsed, session, cancellationToken) =>
        {
            History history = await session.Client.GetHistoryAsync(new HistoryQuery
            {
                Limit = parsed.GetValue(limit),
                Version = parsed.GetValue(version),
                Source = parsed.GetValue(source),
                Result = parsed.GetValue(result),
                Since = parsed.GetValue(since),
                Until = parsed.GetValue(until),
            }, cancellationToken);
            if (session.Output.Json(history, ClientJson.Default.History)) return;
            session.Output.Table(
                ["#SEQ", "TIME", "VERSION", "SOURCE", "?BY", "RESULT", "?#TOOK", "NOTE"],
                history.Entries.Select(e => new[]
                {
                    e.Sequence.ToString(CultureInfo.InvariantCulture), Output.Time(e.Time), Output.Short(e.Version ?? "-"), e.Source, e.Actor, e.Result,
                    Output.Milliseconds(e.DurationMs), e.Live ? "live" : e.Detail ?? "",
                }));
        });
        return command;
    }
}
