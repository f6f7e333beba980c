using System.CommandLine;
using Gateway.Client;

namespace Gateway.Ctl;

internal static class ValidateCommand
{
    public static Command Create()
    {
        Argument<string> file = DocumentFile.Argument();
        var command = new Command("validate", "Check a document on the gateway, changing nothing") { file, DocumentFile.Yaml };
        command.SetBody(async (parsed, session, cancellationToken) =>
        {
            (byte[] bytes, DocumentFormat format) = await DocumentFile.ReadAsync(parsed.GetRequiredValue(file), parsed.GetValue(DocumentFile.Yaml), cancellationToken);
            ValidateResult result = await session.Client.ValidateAsync(bytes, format, cancellationToken);
            session.Output.Warn(result.Warnings);
            if (session.Output.Json(result, ClientJson.Default.ValidateResult)) return;
            session.Output.Line($"ok, version {result.Version}");
        });
        return command;
    }
}
