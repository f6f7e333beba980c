using System.CommandLine;
using Gateway.Config;

namespace Gateway.Command.Commands;

/// <summary><c>gateway schema</c>: prints the JSON Schema of the configuration.</summary>
internal static class SchemaCommand
{
    public static System.CommandLine.Command Create()
    {
        System.CommandLine.Command command = new("schema", "Print the JSON Schema of the configuration.");
        command.SetAction(static _ => Console.Out.Write(GatewaySchema.Write()));
        return command;
    }
}
