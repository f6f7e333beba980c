using System.CommandLine;
using Gateway.Config;
using Gateway.ControlPlane.Apply;
using Gateway.DataPlane.Server;
using Microsoft.Extensions.Logging.Abstractions;

namespace Gateway.Command.Commands;

/// <summary><c>gateway validate FILE</c>: every error as <c>PATH: CODE: message</c>.</summary>
internal static class ValidateCommand
{
    public static System.CommandLine.Command Create()
    {
        Argument<string> file = new("FILE") { Description = "The configuration, JSON or (by extension .yaml, .yml) YAML." };
        System.CommandLine.Command command = new("validate", "Check a configuration as an apply would, and print every error. Binds nothing.") { file };
        command.SetAction(parsed => RunAsync(Path.GetFullPath(parsed.GetValue(file)!)));
        return command;
    }

    private static async Task<int> RunAsync(string path)
    {
        byte[] content;
        try
        {
            content = await File.ReadAllBytesAsync(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"gateway: cannot read {path}: {e.Message}");
            return ExitCodes.Input;
        }
        string folder = Path.GetDirectoryName(path)!;
        await using DataPlaneHost host = new(new DataPlaneOptions(folder, NullLoggerFactory.Instance, TimeProvider.System));
        Checked result = DocumentCheck.Run(new ConfigDocument(content, ConfigDocument.FormatOfFile(path)), new DocumentReader(folder), host);
        foreach (ConfigError error in result.Errors) await Console.Error.WriteLineAsync(error.ToString());
        foreach (ConfigError warning in result.Warnings) await Console.Error.WriteLineAsync($"warning: {warning}");
        if (result.Errors.Count > 0)
        {
            await Console.Error.WriteLineAsync($"{result.Errors.Count} error(s)");
            return ExitCodes.Input;
        }
        await Console.Out.WriteLineAsync($"ok {result.Version}");
        return ExitCodes.Ok;
    }
}
