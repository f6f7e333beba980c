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
        var command = new Command("apply", "Make a document the live configuration") { file, ifMatch, dryRun, DocumentFile.Yaml };
        command.SetBody(async (parsed, session, cancellationToken) =>
        {
            (byte[] bytes, DocumentFormat format) = await DocumentFile.ReadAsync(parsed.GetRequiredValue(file), parsed.GetValue(DocumentFile.Yaml), cancellationToken);
            string? match = parsed.GetValue(ifMatch);
            if (match is not null) match = await session.ResolveVersionAsync(match, cancellationToken);
            bool dry = parsed.GetValue(dryRun);
            ApplyResult result = await session.Client.ApplyAsync(bytes, format, match, dry, cancellationToken);
            session.Output.Warn(result.Warnings);
            if (session.Output.Json(result, ClientJson.Default.ApplyResult)) return;
            string what = result.Applied ? "applied" : dry ? "would apply" : "already live:";
            session.Output.Line($"{what} {result.Version} in {Output.Milliseconds(result.DurationMs)}");
        });
        return command;
    }
}
