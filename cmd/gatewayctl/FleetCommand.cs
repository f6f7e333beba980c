using System.CommandLine;
using System.Globalization;
using Gateway.Client;

namespace Gateway.Ctl;

internal static class FleetCommand
{
    public static Command Create()
    {
        var command = new Command("fleet", "Show the replicas of the fleet and what each serves") { History(), Audit() };
        command.SetBody(async (_, session, cancellationToken) =>
        {
            Fleet fleet = await session.Client.GetFleetAsync(cancellationToken);
            if (session.Output.Json(fleet, ClientJson.Default.Fleet)) return;
            session.Output.Line($"database   {fleet.Database}, {(fleet.Connected ? "connected" : $"away: {fleet.Error}")}");
            if (fleet.Connected && fleet.Error is not null) session.Output.Line($"error      {fleet.Error}");
            if (!fleet.Connected && fleet.At is { } at) session.Output.Line($"as of      {Output.Time(at)}");
            if (fleet.Desired is { } desired) session.Output.Line($"desired    {Output.Short(desired.Version)}, change {desired.Sequence} of {Output.Time(desired.Time)}: {desired.Source} by {desired.Actor} at {desired.Replica}");
            if (fleet.Rollout is { } rollout)
            {
                session.Output.Line($"rollout    {rollout.Id} ('{rollout.Rollout}') of {Output.Short(rollout.Version)}: {rollout.State}{(rollout.Paused && rollout.EndedAt is null ? ", paused" : "")}{(rollout.Reason is null ? "" : $", {rollout.Reason}")}");
                if (rollout.State == "running") session.Output.Line($"           {string.Join(", ", rollout.Replicas.Select(static p => $"{p.Name} {p.State}"))}");
            }
            session.Output.Line("");
            session.Output.Table(["REPLICA", "VERSION", "?#CHANGE", "IN STEP", "STATE", "ERROR", "LAST SEEN", "?ADDRESS"], fleet.Replicas.Select(static r => new[]
            {
                r.Name, Output.Short(r.Version), r.Sequence?.ToString(CultureInfo.InvariantCulture) ?? "-", r.InStep ? "yes" : "no", r.State, r.Error ?? "", Output.Time(r.LastSeen), r.Address,
            }));
        });
        return command;
    }

    private static Command History()
    {
        var limit = new Option<int>("--limit") { Description = "Changes to show, newest first", HelpName = "N", DefaultValueFactory = static _ => 20 };
        var command = new Command("history", "Show the fleet's last changes, at whatever replica they came in") { limit };
        command.SetBody(async (parsed, session, cancellationToken) =>
        {
            FleetHistory history = await session.Client.GetFleetHistoryAsync(parsed.GetValue(limit), cancellationToken);
            if (session.Output.Json(history, ClientJson.Default.FleetHistory)) return;
            session.Output.Table(["#CHANGE", "TIME", "VERSION", "SOURCE", "BY", "AT", "NOTE"], history.Entries.Select(static e => new[]
            {
                e.Sequence.ToString(CultureInfo.InvariantCulture), Output.Time(e.Time), Output.Short(e.Version), e.Source, e.Actor, e.Replica, e.Detail ?? "",
            }));
        });
        return command;
    }

    private static Command Audit()
    {
        var limit = new Option<int>("--limit") { Description = "Entries to show, newest first", HelpName = "N", DefaultValueFactory = static _ => 20 };
        var command = new Command("audit", "Show who changed what at any replica, or tried to") { limit };
        command.SetBody(async (parsed, session, cancellationToken) =>
        {
            FleetAuditLog log = await session.Client.GetFleetAuditAsync(parsed.GetValue(limit), cancellationToken);
            if (session.Output.Json(log, ClientJson.Default.FleetAuditLog)) return;
            session.Output.Table(["TIME", "REPLICA", "ACTION", "BY", "?FROM", "VERSION", "RESULT", "DETAIL"], log.Entries.Select(static e => new[]
            {
                Output.Time(e.Time), e.Replica, e.Action, e.Actor, e.From, Output.Short(e.Version ?? ""), e.Result, e.Detail ?? "",
            }));
        });
        return command;
    }
}
