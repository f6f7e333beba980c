using System.CommandLine;
using Gateway.Client;

namespace Gateway.Ctl;

internal static class ApplyCommand
{
    public static Command Create()
    {
        Argument<string> file = DocumentFile.Argument();
        var ifMatch = new Option<string>("--if-match") { Description = "Apply only if this version is live; its first characters are enough", HelpName = "VERSION" };
        var dryRun = new Option<bool>("--dry-run") { Description = "Do everything but apply it" };
        var rollout = new Option<string>("--rollout") { Description = "Take it through this rollout of its configuration, in place of all at once", HelpName = "NAME" };
        var watch = new Option<bool>("--watch") { Description = "With --rollout: show how it goes until it ends. Exit code 0 when it was promoted" };
        var remove = new Option<bool>("--remove") { Description = "Apply no document, but take away the one applied before: what the file or a bundle brought is live then" };
        file.Arity = ArgumentArity.ZeroOrOne;
        var command = new Command("apply", "Make a document the live configuration") { file, ifMatch, dryRun, rollout, watch, remove, DocumentFile.Yaml };
        command.Validators.Add(parsed =>
        {
            if (parsed.GetValue(watch) && parsed.GetValue(rollout) is null) parsed.AddError("--watch needs --rollout.");
            if (parsed.GetValue(dryRun) && parsed.GetValue(rollout) is not null) parsed.AddError("--dry-run and --rollout do not go together.");
            if (parsed.GetResult(file) is { Tokens.Count: > 0 } == parsed.GetValue(remove)) parsed.AddError("Give a FILE, or --remove.");
        });
        command.SetBody(async (parsed, session, cancellationToken) =>
        {
            if (parsed.GetValue(remove))
            {
                string? live = parsed.GetValue(ifMatch);
                await RemoveAsync(session, live is null ? null : await session.ResolveVersionAsync(live, cancellationToken), cancellationToken);
                return ExitCode.Ok;
            }
            (byte[] bytes, DocumentFormat format) = await DocumentFile.ReadAsync(parsed.GetRequiredValue(file), parsed.GetValue(DocumentFile.Yaml), cancellationToken);
            string? match = parsed.GetValue(ifMatch);
            if (match is not null) match = await session.ResolveVersionAsync(match, cancellationToken);
            if (parsed.GetValue(rollout) is { } name)
                return await RolloutWatch.BegunAsync(session, await session.Client.RollOutAsync(bytes, name, format, match, cancellationToken), parsed.GetValue(watch), cancellationToken);
            bool dry = parsed.GetValue(dryRun);
            ApplyResult result = await session.Client.ApplyAsync(bytes, format, match, dry, cancellationToken);
            session.Output.Warn(result.Warnings);
            if (session.Output.Json(result, ClientJson.Default.ApplyResult)) return ExitCode.Ok;
            string what = result.Applied ? "applied" : dry ? "would apply" : "already live:";
            session.Output.Line($"{what} {result.Version} in {Output.Milliseconds(result.DurationMs)}");
            return ExitCode.Ok;
        });
        return command;
    }

    private static async Task RemoveAsync(Session session, string? ifMatch, CancellationToken cancellationToken)
    {
        ApplyResult result = await session.Client.RemoveAsync(ifMatch, cancellationToken);
        session.Output.Warn(result.Warnings);
        if (!session.Output.Json(result, ClientJson.Default.ApplyResult)) session.Output.Line($"removed; live is {result.Version}");
    }
}
