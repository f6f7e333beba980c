using System.CommandLine;
using Gateway.Client;

namespace Gateway.Ctl;

internal static class RollbackCommand
{
    public static Command Create()
    {
        var version = new Argument<string?>("VERSION")
        {
            Description = "The version to go back to; its first characters are enough. Default: the one before the live one",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var command = new Command("rollback", "Go back to an earlier configuration") { version };
        command.SetBody(async (parsed, session, cancellationToken) =>
        {
            string? wanted = parsed.GetValue(version);
            if (wanted is not null) wanted = await session.ResolveVersionAsync(wanted, cancellationToken);
            RollbackResult result = await session.Client.RollbackAsync(wanted, cancellationToken);
            if (session.Output.Json(result, ClientJson.Default.RollbackResult)) return;
            session.Output.Line($"rolled back to {result.Version} from {Output.Short(result.Previous)} in {Output.Milliseconds(result.DurationMs)}");
        });
        return command;
    }
}
