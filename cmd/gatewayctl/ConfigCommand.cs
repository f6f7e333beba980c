using System.CommandLine;
using Gateway.Client;

namespace Gateway.Ctl;

internal static class ConfigCommand
{
    public static Command Create()
    {
        var at = new Option<string>("--at") { Description = "What was live then, in place of what is live now", HelpName = "VERSION|TIME" };
        var layer = new Option<string>("--layer") { Description = "What this source (file, admin, bundle) brought, in place of the whole", HelpName = "SOURCE" };
        var command = new Command("config", "Print the live document, byte for byte as it was applied") { at, layer };
        command.SetBody(async (parsed, session, cancellationToken) =>
        {
            string? when = parsed.GetValue(at);
            if (when is not null) when = await session.ResolveAtAsync(when, cancellationToken);
            ConfigDocument document = parsed.GetValue(layer) is { } source ? await session.Client.GetLayerAsync(source, cancellationToken) : await session.Client.GetConfigAsync(when, cancellationToken);
            await using Stream stdout = Console.OpenStandardOutput();
            await stdout.WriteAsync(document.Bytes, cancellationToken);
            // A prompt belongs on a line of its own; a pipe gets the exact bytes.
            if (!Console.IsOutputRedirected && document.Bytes.Span is not [.., (byte)'\n']) stdout.WriteByte((byte)'\n');
        });
        return command;
    }
}
