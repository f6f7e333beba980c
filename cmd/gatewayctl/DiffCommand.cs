using System.CommandLine;
using Gateway.Client;

namespace Gateway.Ctl;

internal static class DiffCommand
{
    public static Command Create()
    {
        var first = new Argument<string>("FILE|VERSION") { Description = "A document, JSON or YAML (- for stdin); or, with a second one, a stored version or time" };
        var second = new Argument<string?>("VERSION") { Description = "Compare these two stored versions or times", Arity = ArgumentArity.ZeroOrOne };
        var at = new Option<string>("--at") { Description = "Compare the document with what was live then, in place of what is live now", HelpName = "VERSION|TIME" };
        var command = new Command("diff", "Compare a document with what is live, or two stored versions: what they say differently, and which requests they treat differently") { first, second, at, DocumentFile.Yaml };
        command.Validators.Add(result =>
        {
            if (result.GetValue(second) is not null && result.GetResult(at) is not null) result.AddError("--at is for a document; two versions are compared with each other");
        });
        command.SetBody(async (parsed, session, cancellationToken) =>
        {
            string one = parsed.GetRequiredValue(first);
            Difference difference;
            string? when = parsed.GetValue(at);
            if (parsed.GetValue(second) is { } other)
                difference = await session.Client.DiffStoredAsync(await session.ResolveAtAsync(one, cancellationToken), await session.ResolveAtAsync(other, cancellationToken), cancellationToken);
            else
            {
                (byte[] bytes, DocumentFormat format) = await DocumentFile.ReadAsync(one, parsed.GetValue(DocumentFile.Yaml), cancellationToken);
                difference = when is null
                    ? await session.Client.DiffAsync(bytes, format, cancellationToken)
                    : await session.Client.DiffAsync(bytes, await session.ResolveAtAsync(when, cancellationToken), format, cancellationToken);
            }
            session.Output.Warn(difference.Warnings);
            bool isLive = when is null && parsed.GetValue(second) is null;
            if (!session.Output.Json(difference, ClientJson.Default.Difference)) Print(session.Output, difference, isLive);
        });
        return command;
    }

    private static void Print(Output output, Difference difference, bool isLive)
    {
        if (difference.LiveVersion == difference.Version)
        {
            output.Line($"no difference: {(isLive ? $"{Output.Short(difference.Version)} is live" : $"both are {Output.Short(difference.Version)}")}");
            return;
        }
        output.Line($"{Output.Short(difference.LiveVersion)}{(isLive ? " (live)" : "")} -> {Output.Short(difference.Version)}");
        foreach (ObjectDifference change in difference.Changes)
        {
            string sign = change.Kind switch { "added" => "+", "removed" => "-", "moved" => ">", _ => "~" };
            output.Line($"{sign} {change.Section}{(change.Name is null ? "" : $" {change.Name}")}{(change.Kind == "moved" ? " (order)" : "")}");
            foreach (FieldDifference field in change.Fields) output.Line($"    {(field.Path.Length == 0 ? change.Section : field.Path)}: {field.Before ?? "(absent)"} -> {field.After ?? "(absent)"}");
        }
        if (difference.MoreChanges is { } more) output.Line($"… and {more} more");
        output.Line("");
        Print(output, difference.Behaviour);
        if (difference.Replay is not { } replay) return;
        output.Line($"recorded: {replay.Changed} of {replay.Requests} requests would have another outcome{(replay.Changed == 0 ? "" : $" ({string.Join(", ", replay.ByKind.Select(static k => $"{k.Key} {k.Value}"))})")}");
        foreach (ReplayedRequest example in replay.Examples) output.Line($"    {example.Count} like {example.Request}: {Outcome(example.Before)} -> {Outcome(example.After)}");
    }

    private static void Print(Output output, BehaviourDifference behaviour)
    {
        if (behaviour.Equivalent)
        {
            output.Line("requests: equivalent, every request has the same route, pool, policy and status, and is taken and limited alike");
            return;
        }
        foreach (string name in behaviour.ListenersRemoved) output.Line($"requests: listener {name} is gone");
        foreach (string name in behaviour.ListenersAdded) output.Line($"requests: listener {name} is new");
        foreach (SettingDifference setting in behaviour.Settings) output.Line($"requests: all on {string.Join(' ', setting.Listeners)} meet another {setting.What}");
        foreach (RequestClass one in behaviour.Classes)
        {
            output.Line($"requests: {Outcome(one.Before)} -> {Outcome(one.After)} ({string.Join(", ", one.What)})");
            output.Line($"    on       {string.Join(' ', one.Listeners)}");
            output.Line($"    for      {string.Join(' ', one.Methods.DefaultIfEmpty("any method"))}, host {string.Join(' ', one.Hosts)}, path {one.Path ?? "any"}{string.Concat(one.PathPatterns.Select(static p => $" ~ {p}"))}{string.Concat(one.Conditions.Select(static c => $", {c}"))}");
            if (one.Before.Except.Count != 0) output.Line($"    but not  what {Names(one.Before)} took first");
            if (one.After.Except.Count != 0) output.Line($"    but not  what {Names(one.After)} would take first");
            output.Line($"    such as  {one.Witness.Method} {one.Witness.Url}{string.Concat(one.Witness.Headers.SelectMany(static h => h.Value.Select(v => $" -H '{h.Key}: {v}'")))}");
        }
        if (behaviour.MoreClasses is { } more) output.Line($"… and {more} more classes of requests");
        foreach (UndecidedPair pair in behaviour.Undecided) output.Line($"undecided: {pair.Before ?? "no route"} -> {pair.After ?? "no route"}: {pair.Reason}");
        if (!behaviour.Complete) output.Line("the comparison ended at its limit of work: there may be more differences");
    }

    private static string Names(ClassOutcome outcome) => string.Join(", ", outcome.Except) + (outcome.MoreExcept is { } more ? $" and {more} more" : "");

    private static string Outcome(ClassOutcome outcome) =>
        outcome.Route is null ? "no route" : $"{outcome.Route}{(outcome.Pool is null ? "" : $" (pool {outcome.Pool})")}{(outcome.Status is null ? "" : $" (answers {outcome.Status})")}";
}
