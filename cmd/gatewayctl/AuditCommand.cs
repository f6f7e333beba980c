using System.CommandLine;
using Gateway.Client;

namespace Gateway.Ctl;

internal static class AuditCommand
{
    public static Command Create()
    {
        var limit = new Option<int>("--limit") { Description = "Entries to show, newest first", HelpName = "N", DefaultValueFactory = _ => 20 };
        var command = new Command("audit", "Show who changed what, or tried to") { limit };
        command.SetBody(async (parsed, session, cancellationToken) =>
        {
            AuditLog log = await session.Client.GetAuditAsync(parsed.GetValue(limit), cancellationToken);
            if (session.Output.Json(log, ClientJson.Default.AuditLog)) return;
            session.Output.Table(["TIME", "ACTION", "BY", "?FROM", "VERSION", "RESULT", "DETAIL"], log.Entries.Select(e => new[]
            {
                Output.Time(e.Time), e.Action, e.Actor, e.From, Output.Short(e.Version ?? ""), e.Result, e.Detail ?? "",
            }));
        });
        return command;
    }
}
