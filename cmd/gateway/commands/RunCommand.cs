using System.CommandLine;
using Gateway.Command.Run;
using Gateway.ControlPlane.Fleet;
using Gateway.DataPlane.Server;

namespace Gateway.Command.Commands;

/// <summary><c>gateway run</c>: serves until it is told to stop.</summary>
internal static class RunCommand
{
    private static readonly Option<string?> Config = new("--config") { HelpName = "FILE", Description = "The configuration, JSON or (by extension .yaml, .yml) YAML. Watched, and applied again when its content changes; relative paths in it are relative to its folder." };
    private static readonly Option<string> Admin = new("--admin") { HelpName = "ADDRESS", DefaultValueFactory = static _ => "127.0.0.1:9901", Description = "Address of the admin API; 'off' for none. Beyond loopback it needs TLS and a client CA." };
    private static readonly Option<string?> TokenFile = new("--admin-token-file") { HelpName = "FILE", Description = "File with the admin API's bearer token, created with mode 0600 when it is not there. Default: DATA/admin.token." };
    private static readonly Option<string?> TlsCert = new("--admin-tls-cert") { HelpName = "FILE", Description = "PEM file with the admin API's certificate." };
    private static readonly Option<string?> TlsKey = new("--admin-tls-key") { HelpName = "FILE", Description = "PEM file with the certificate's private key." };
    private static readonly Option<string?> ClientCa = new("--admin-client-ca") { HelpName = "FILE", Description = "PEM file with the authorities of client certificates, which are then required in addition to the token." };
    private static readonly Option<string> DataDir = new("--data-dir") { HelpName = "DIR", DefaultValueFactory = static _ => "./data", Description = "Applied configurations, history, audit log and token." };
    private static readonly Option<bool> LastGood = new("--last-good") { Description = "When FILE is broken at start, serve the last good configuration in DATA instead, and watch FILE for a mend." };
    private static readonly Option<string[]> PublicKey = new("--public-key") { HelpName = "FILE", Description = "PEM file with an Ed25519 key that may sign bundles; may come again. With one, configurations that came in no signed bundle are refused." };
    private static readonly Option<int> Threshold = new("--threshold") { HelpName = "N", DefaultValueFactory = static _ => 1, Description = "How many of the keys must sign a bundle." };
    private static readonly Option<bool> AllowUnsigned = new("--allow-unsigned") { Description = "Take unsigned configurations too, over the admin API and from FILE, although there are keys." };
    private static readonly Option<string?> Fleet = new("--fleet") { HelpName = "CONNECTION", Description = "PostgreSQL database that the replicas of a fleet share, as 'Host=…;Database=…;Username=…'. A change of one replica is then every replica's." };
    private static readonly Option<string?> FleetFile = new("--fleet-file") { HelpName = "FILE", Description = "File with that connection string, for one with a password." };
    private static readonly Option<string> FleetSchema = new("--fleet-schema") { HelpName = "NAME", DefaultValueFactory = static _ => FleetOptions.DefaultSchema, Description = "Schema of the fleet's tables, made when it is not there." };
    private static readonly Option<string?> Replica = new("--replica") { HelpName = "NAME", Description = "This gateway's name in the fleet, unlike every other's. Default: the host's name and the admin API's port." };
    private static readonly Option<string> Transport = MakeTransport();
    private static readonly Option<int?> Loops = MakeLoops();
    private static readonly Option<string?> Zone = new("--zone") { HelpName = "NAME", DefaultValueFactory = static _ => Environment.GetEnvironmentVariable("GATEWAY_ZONE") is { Length: > 0 } zone ? zone : null, Description = "Where this gateway runs: endpoints with the same zone are preferred. Default: the environment variable GATEWAY_ZONE." };
    private static readonly Option<string> Level = new Option<string>("--log-level") { DefaultValueFactory = static _ => "info", Description = "Least level that is logged, to stderr." }
        .AcceptOnlyFromAmong("trace", "debug", "info", "warn", "error");

    public static System.CommandLine.Command Create()
    {
        System.CommandLine.Command command = new("run", "Start the gateway.") { Config, Admin, TokenFile, TlsCert, TlsKey, ClientCa, DataDir, LastGood, PublicKey, Threshold, AllowUnsigned, Fleet, FleetFile, FleetSchema, Replica, Transport, Loops, Zone, Level };
        PullArguments.AddTo(command);
        command.Validators.Add(static result =>
        {
            if (result.GetResult(Config) is null && !PullArguments.IsGiven(result) && result.GetResult(Fleet) is null && result.GetResult(FleetFile) is null) result.AddError("Option '--config' is required, or --pull, or a fleet (--fleet, --fleet-file).");
        });
        command.SetAction(static parsed => GatewayProcess.RunAsync(Read(parsed)));
        return command;
    }

    private static Option<int?> MakeLoops()
    {
        Option<int?> loops = new("--loops") { HelpName = "N", Description = "Event loops, each with a thread of its own, 1 to 1024. Default: one per processor that the process may use." };
        loops.Validators.Add(static result =>
        {
            if (result.Tokens is [var token] && !(int.TryParse(token.Value, out int count) && count is >= 1 and <= 1024)) result.AddError($"--loops wants a number from 1 to 1024, not '{token.Value}'.");
        });
        return loops;
    }

    private static Option<string> MakeTransport()
    {
        Option<string> transport = new Option<string>("--transport") { DefaultValueFactory = static _ => "auto", Description = "What carries connections: event loops on epoll, or .NET's sockets. auto takes epoll on Linux." }
            .AcceptOnlyFromAmong("auto", "epoll", "sockets");
        transport.Validators.Add(static result =>
        {
            if (result.Tokens is [var token] && Enum.TryParse(token.Value, ignoreCase: true, out TransportKind kind) && DataPlaneOptions.RefusalOf(kind) is { } refusal) result.AddError($"--transport: {refusal}.");
        });
        return transport;
    }

    private static RunOptions Read(ParseResult parsed)
    {
        string admin = parsed.GetValue(Admin)!;
        return new RunOptions(
            parsed.GetValue(Config), admin == "off" ? null : admin, parsed.GetValue(TokenFile), parsed.GetValue(TlsCert), parsed.GetValue(TlsKey),
            parsed.GetValue(ClientCa), parsed.GetValue(DataDir)!, parsed.GetValue(LastGood), Enum.Parse<TransportKind>(parsed.GetValue(Transport)!, ignoreCase: true), parsed.GetValue(Loops), parsed.GetValue(Zone), StderrLog.ParseLevel(parsed.GetValue(Level)!))
        {
            PublicKeys = parsed.GetValue(PublicKey) ?? [],
            Threshold = parsed.GetValue(Threshold),
            Pull = PullArguments.Read(parsed),
            AllowUnsigned = parsed.GetValue(AllowUnsigned),
            Fleet = new FleetArguments(parsed.GetValue(Fleet), parsed.GetValue(FleetFile), parsed.GetValue(FleetSchema)!, parsed.GetValue(Replica)),
        };
    }
}
