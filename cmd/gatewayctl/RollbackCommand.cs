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
        var at = new Option<DateTimeOffset?>("--at") { Description = "Go back to what was live then", HelpName = "TIME", CustomParser = TimeOption.Read };
        var command = new Command("rollback", "Go back to an earlier configuration") { version, at };
        command.Validators.Add(result =>
        {
            if (result.GetValue(version) is not null && result.GetResult(at) is not null) result.AddError("VERSION and --at both say what to go back to; give one of them");
        });
        command.SetBody(async (parsed, session, cancellationToken) =>
        {
            string? wanted = parsed.GetValue(version);
            if (wanted is not null) wanted = await session.ResolveVersionAsync(wanted, cancellationToken);
            RollbackResult result = parsed.GetValue(at) is { } time
                ? await session.Client.RollbackAsync(time, cancellationToken)
                : await session.Client.RollbackAsync(wanted, cancellationToken);
            if (session.Output.Json(result, ClientJson.Default.RollbackResult)) return;
            session.Output.Line($"rolled back to {result.Version} from {Output.Short(result.Previous)} in {Output.Milliseconds(result.DurationMs)}{(result.LiveAfterMs is { } live ? $", live after {Output.Milliseconds(live)}" : "")}");
        });
        return command;
    }
}
