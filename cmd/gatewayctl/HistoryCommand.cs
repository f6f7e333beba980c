using System.CommandLine;
using System.Globalization;
using Gateway.Client;

namespace Gateway.Ctl;

internal static class HistoryCommand
{
    public static Command Create()
    {
        var limit = new Option<int>("--limit") { Description = "Entries to show, newest first", HelpName = "N", DefaultValueFactory = _ => 20 };
        var command = new Command("history", "Show the last applies and rollbacks") { limit };
        command.SetBody(async (parsed, session, cancellationToken) =>
        {
            History history = await session.Client.GetHistoryAsync(parsed.GetValue(limit), cancellationToken);
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
