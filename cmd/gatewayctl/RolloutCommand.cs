using System.CommandLine;
using System.Globalization;
using Gateway.Client;

namespace Gateway.Ctl;

internal static class RolloutCommand
{
    public static Command Create() => new("rollout", "Show rollouts, and decide about the one that runs")
    {
        List(),
        Show(),
        Watch(),
        Verb("pause", "Hold the share; the gates go on", static (client, id, token) => client.PauseRolloutAsync(id, token)),
        Verb("resume", "Go on with the stages", static (client, id, token) => client.ResumeRolloutAsync(id, token)),
        Verb("promote", "Make the candidate live without waiting for anything more", static (client, id, token) => client.PromoteRolloutAsync(id, token)),
        Verb("abort", "Take the candidate back; what is live stays live", static (client, id, token) => client.AbortRolloutAsync(id, token)),
    };

    private static Command List()
    {
        var limit = new Option<int>("--limit") { Description = "Rollouts to show, newest first", HelpName = "N", DefaultValueFactory = _ => 20 };
        var command = new Command("list", "Show the last rollouts") { limit };
        command.SetBody(async (parsed, session, cancellationToken) =>
        {
            RolloutList list = await session.Client.GetRolloutsAsync(parsed.GetValue(limit), cancellationToken);
            if (session.Output.Json(list, ClientJson.Default.RolloutList)) return;
            IEnumerable<Rollout> rollouts = list.Fleet is { } fleet ? list.Rollouts.Prepend(fleet) : list.Rollouts;
            session.Output.Table(["#ID", "STARTED", "VERSION", "ROLLOUT", "SOURCE", "STATE", "STAGE", "#SHARE", "REASON"], rollouts.Select(static r => new[]
            {
                r.Id, Output.Time(r.StartedAt), Output.Short(r.Version), r.Name, r.Source, r.State, r.Stage, r.IsEnded ? "" : RolloutWatch.Percent(r.Percent), r.Reason ?? "",
            }));
        });
        return command;
    }

    private static Command Show()
    {
        Argument<string> id = new("ID") { Description = "As 'rollout list' names it" };
        var command = new Command("show", "Show one rollout, with the evidence") { id };
        command.SetBody(async (parsed, session, cancellationToken) =>
        {
            Rollout rollout = await session.Client.GetRolloutAsync(parsed.GetRequiredValue(id), cancellationToken);
            if (session.Output.Json(rollout, ClientJson.Default.Rollout)) return;
            Print(session.Output, rollout);
        });
        return command;
    }

    private static Command Watch()
    {
        var id = new Argument<string?>("ID") { Description = "As 'rollout list' names it. Default: the one that runs, else the last one", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("watch", "Show how a rollout goes until it ends. Exit code 0 when it was promoted, else 1") { id };
        command.SetBody(async (parsed, session, cancellationToken) =>
        {
            string wanted = parsed.GetValue(id) ?? await DefaultAsync(session, cancellationToken);
            return await RolloutWatch.RunAsync(session, wanted, cancellationToken);
        });
        return command;
    }

    private static Command Verb(string name, string description, Func<GatewayClient, string, CancellationToken, Task<Rollout>> act)
    {
        var id = new Argument<string?>("ID") { Description = "As 'rollout list' names it. Default: the one that runs", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command(name, description) { id };
        command.SetBody(async (parsed, session, cancellationToken) =>
        {
            string wanted = parsed.GetValue(id) ?? await DefaultAsync(session, cancellationToken);
            Rollout rollout = await act(session.Client, wanted, cancellationToken);
            if (session.Output.Json(rollout, ClientJson.Default.Rollout)) return;
            session.Output.Line(RolloutWatch.Line(rollout));
        });
        return command;
    }

    // In a fleet the whole, for a replica may have no part of it yet.
    private static async Task<string> DefaultAsync(Session session, CancellationToken cancellationToken)
    {
        RolloutList list = await session.Client.GetRolloutsAsync(1, cancellationToken);
        return list.Fleet?.Id ?? (list.Rollouts is [var last, ..] ? last.Id : throw new UserException("there has been no rollout yet: begin one with 'gatewayctl apply --rollout NAME'"));
    }

    private static void Print(Output output, Rollout rollout)
    {
        output.Line($"rollout   {rollout.Id} ('{rollout.Name}'), by {rollout.Actor} ({rollout.Source})");
        output.Line($"version   {rollout.Version}");
        output.Line($"state     {rollout.State}{(rollout.Reason is null ? "" : $": {rollout.Reason}")}");
        output.Line($"stage     {rollout.Stage}{(rollout.Stages.Count == 0 ? "" : $" {(rollout.StageIndex + 1).ToString(CultureInfo.InvariantCulture)} of {string.Join(", ", rollout.Stages.Select(static s => $"{RolloutWatch.Percent(s.Percent)} for {s.For}"))}")}");
        output.Line($"started   {Output.Time(rollout.StartedAt)}");
        if (rollout.EndedAt is { } ended) output.Line($"ended     {Output.Time(ended)}");
        if (rollout.Note is not null) output.Line($"note      {rollout.Note}");
        if (rollout.Evidence is { } evidence) output.Line($"evidence  {evidence.Gate} of route {evidence.Route}: {evidence.Reason}");
        if (rollout.Replicas is { Count: > 0 })
        {
            output.Line("");
            _ = RolloutWatch.PrintReplicas(output, rollout);
        }
        if (rollout.Traffic.Count == 0) return;
        output.Line("");
        _ = RolloutWatch.PrintTraffic(output, rollout);
    }
}
