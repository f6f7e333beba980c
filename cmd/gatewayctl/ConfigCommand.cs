using System.CommandLine;
using Gateway.Client;

namespace Gateway.Ctl;

internal static class ConfigCommand
{
    public static Command Create()
    {
        var command = new Command("config", "Print the live document, byte for byte as it was applied");
        command.SetBody(async (_, session, cancellationToken) =>
        {
            ConfigDocument document = await session.Client.GetConfigAsync(cancellationToken);
            await using Stream stdout = Console.OpenStandardOutput();
            await stdout.WriteAsync(document.Bytes, cancellationToken);
            // A prompt belongs on a line of its own; a pipe gets the exact bytes.
            if (!Console.IsOutputRedirected && document.Bytes.Span is not [.., (byte)'\n']) stdout.WriteByte((byte)'\n');
        });
        return command;
    }
}
