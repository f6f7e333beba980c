using System.CommandLine;
using System.Net;

namespace Gateway.Command.Demo;

/// <summary><c>gateway demo-origin</c>: one origin to try a gateway with.</summary>
internal static class DemoOriginCommand
{
    public static System.CommandLine.Command Create()
    {
        var listen = new Option<string>("--listen") { Description = "Address to listen on; port 0 takes a free one", HelpName = "ADDR", DefaultValueFactory = _ => "127.0.0.1:9001" };
        var name = new Option<string>("--name") { Description = "What it calls itself", DefaultValueFactory = _ => "origin" };
        var http2 = new Option<bool>("--http2") { Description = "Speak HTTP/2 by prior knowledge (h2c) in place of HTTP/1.1" };
        var command = new System.CommandLine.Command("demo-origin", "Serve a small origin to put behind the gateway") { listen, name, http2 };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            string address = parsed.GetRequiredValue(listen);
            if (!IPEndPoint.TryParse(address, out IPEndPoint? endPoint) || !address.Contains(':', StringComparison.Ordinal))
            {
                Console.Error.WriteLine($"gateway: --listen {address} is not an address: write it as 127.0.0.1:9001");
                return ExitCodes.Usage;
            }
            DemoOrigin origin;
            try
            {
                origin = await DemoOrigin.StartAsync(endPoint, parsed.GetRequiredValue(name), parsed.GetValue(http2), TimeProvider.System, cancellationToken);
            }
            catch (IOException e)
            {
                Console.Error.WriteLine($"gateway: cannot listen on {address}: {e.GetBaseException().Message}. Stop what listens there, or choose another with --listen.");
                return ExitCodes.Input;
            }
            await using (origin)
            {
                Console.Out.WriteLine($"demo origin '{parsed.GetValue(name)}' listens on {origin.Url}: try / /slow /stream /ws /status/503 /bytes/1000");
                await TerminationSignal.WaitAsync(cancellationToken);
            }
            return ExitCodes.Ok;
        });
        return command;
    }
}
