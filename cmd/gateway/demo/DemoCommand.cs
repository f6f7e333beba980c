using System.CommandLine;
using System.Net;
using Gateway.Command.Run;
using Gateway.Config;
using Gateway.ControlPlane.Apply;
using Gateway.DataPlane.Server;
using Microsoft.Extensions.Logging;

namespace Gateway.Command.Demo;

/// <summary><c>gateway demo</c>: the gateway with an origin behind every loopback endpoint of a configuration, and what to try with them.</summary>
internal static class DemoCommand
{
    public const string DefaultAdmin = "127.0.0.1:9901";
    public const string DefaultTokenFile = "./data/admin.token";

    public static System.CommandLine.Command Create()
    {
        var config = new Option<string>("--config") { Description = "The configuration to show", HelpName = "FILE", DefaultValueFactory = _ => "configs/quickstart.json" };
        var admin = new Option<string>("--admin") { Description = "Address of the admin API", HelpName = "ADDRESS", DefaultValueFactory = _ => DefaultAdmin };
        var token = new Option<string>("--admin-token-file") { Description = "File with the admin token, created when it is not there", HelpName = "FILE", DefaultValueFactory = _ => DefaultTokenFile };
        var command = new System.CommandLine.Command("demo", "Start demo origins and a gateway before them, and print what to try") { config, admin, token };
        command.SetAction((parsed, cancellationToken) => RunAsync(
            parsed.GetRequiredValue(config), parsed.GetRequiredValue(admin), parsed.GetRequiredValue(token), TimeProvider.System, cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(string file, string admin, string tokenFile, TimeProvider time, CancellationToken cancellationToken)
    {
        string text;
        try
        {
            text = await File.ReadAllTextAsync(file, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"gateway: cannot read {file}: {e.Message}");
            return ExitCodes.Input;
        }
        // A document that cannot be read has no origins; 'run' below says what is wrong with it.
        GatewayConfig? config = new DocumentReader(Path.GetDirectoryName(Path.GetFullPath(file))!)
            .Read(new ConfigDocument(System.Text.Encoding.UTF8.GetBytes(text), ConfigDocument.FormatOfFile(file))).Config;
        var origins = new List<DemoOrigin>();
        DirectoryInfo data = Directory.CreateTempSubdirectory("gateway-demo-");
        try
        {
            if (config is not null && !await StartOriginsAsync(config, file, origins, time, cancellationToken)) return ExitCodes.Input;
            if (Path.GetDirectoryName(tokenFile) is { Length: > 0 } folder) _ = Directory.CreateDirectory(folder);
            // A history of its own, so that every demo begins with the file as it is; the token stays where gatewayctl looks for it.
            var options = new RunOptions(file, admin, tokenFile, null, null, null, data.FullName, LastGood: false, TransportKind.Auto, Loops: null, Zone: null, LogLevel.Information);
            return await GatewayProcess.RunAsync(options, ready: () =>
            {
                if (config is null) return;
                foreach (string line in DemoScript.Lines(config, file, text, admin, tokenFile)) Console.Out.WriteLine(line);
            });
        }
        finally
        {
            foreach (DemoOrigin origin in origins) await origin.DisposeAsync();
            data.Delete(recursive: true);
        }
    }

    /// <summary>An origin for each loopback endpoint that speaks clear text; false, with the reason printed, when one cannot listen.</summary>
    private static async Task<bool> StartOriginsAsync(GatewayConfig config, string file, List<DemoOrigin> origins, TimeProvider time, CancellationToken cancellationToken)
    {
        var taken = new HashSet<IPEndPoint>();
        foreach ((string name, PoolConfig pool) in config.Pools)
        {
            if (pool.Protocol == UpstreamProtocol.Https || pool.Tls is not null) continue;
            int number = 0;
            foreach (EndpointConfig endpoint in pool.Endpoints)
            {
                number++;
                if (!IPEndPoint.TryParse(endpoint.Address, out IPEndPoint? address) || !IPAddress.IsLoopback(address.Address) || !taken.Add(address)) continue;
                try
                {
                    origins.Add(await DemoOrigin.StartAsync(
                        address, pool.Endpoints.Count > 1 ? $"{name}-{number}" : name, pool.Protocol != UpstreamProtocol.Http1, time, cancellationToken));
                }
                catch (IOException e)
                {
                    Console.Error.WriteLine(
                        $"gateway: the demo origin of pool '{name}' cannot listen on {endpoint.Address}: {e.GetBaseException().Message}. "
                        + $"Stop what listens there (another demo?), or change the address in {file}.");
                    return false;
                }
            }
        }
        return true;
    }
}
