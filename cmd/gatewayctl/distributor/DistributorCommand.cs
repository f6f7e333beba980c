using System.CommandLine;
using System.Globalization;
using System.Net;
using Gateway.Bundle;

namespace Gateway.Ctl.Distributor;

/// <summary><c>gatewayctl distributor</c>: serves the bundles of a folder to gateways that pull.</summary>
internal static class DistributorCommand
{
    private static readonly Option<string> Dir = new("--dir") { Description = "Folder with bundles (*.bundle, *.json), such as a Git checkout; 'gatewayctl bundle publish' puts one there", HelpName = "DIR", Required = true };
    private static readonly Option<string> Listen = new("--listen") { Description = "IP:PORT, :PORT for all addresses", HelpName = "ADDRESS", Required = true };
    private static readonly Option<string> TokenFile = new("--token-file") { Description = "File with the bearer token that clients must show. Default: none is asked", HelpName = "FILE" };
    private static readonly Option<string> TlsCert = new("--tls-cert") { Description = "PEM file with the certificate, then its intermediates; read again when it changes", HelpName = "FILE" };
    private static readonly Option<string> TlsKey = new("--tls-key") { Description = "PEM file with the certificate's key", HelpName = "FILE" };
    private static readonly Option<string[]> PublicKey = new("--public-key") { Description = "Serve only what this key has signed; may come again. Default: what is a whole bundle, and gateways verify", HelpName = "FILE" };
    private static readonly Option<int> Threshold = new("--threshold") { Description = "How many of the keys must have signed", HelpName = "N", DefaultValueFactory = static _ => 1 };

    public static Command Create()
    {
        var command = new Command("distributor", "Serve the bundles of a folder to gateways that pull (gateway run --pull)") { Dir, Listen, TokenFile, TlsCert, TlsKey, PublicKey, Threshold };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            try
            {
                return await RunAsync(parsed, cancellationToken);
            }
            catch (UserException e)
            {
                await Console.Error.WriteLineAsync($"gatewayctl: {e.Message}");
                return ExitCode.Refused;
            }
        });
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        TimeProvider time = TimeProvider.System;
        string folder = Path.GetFullPath(parsed.GetRequiredValue(Dir));
        if (!Directory.Exists(folder)) throw new UserException($"--dir {folder} is no folder");
        IPEndPoint address = Address(parsed.GetRequiredValue(Listen));
        string? cert = parsed.GetValue(TlsCert), key = parsed.GetValue(TlsKey), tokenFile = parsed.GetValue(TokenFile);
        if (cert is null != key is null) throw new UserException("--tls-cert and --tls-key are given both or not at all");
        ServerCertificate? certificate = cert is null ? null : new ServerCertificate(cert, key!, time, Log);
        BearerToken? token = tokenFile is null ? null : BearerToken.Read(tokenFile);
        if (!IPAddress.IsLoopback(address.Address))
        {
            if (token is null) Log($"everyone who reaches {address} can read the bundles; ask for a token with --token-file if that is not meant");
            else if (certificate is null) Log($"the token crosses the network to {address} in clear text; give --tls-cert and --tls-key");
        }
        var bundles = new BundleFolder(folder, Verifier(parsed), time, Log);
        bundles.Look();
        await using (DistributorServer server = await DistributorServer.StartAsync(address, certificate, new DistributorApi(bundles, token, time, cancellationToken).HandleAsync))
        {
            Console.Out.WriteLine($"listening {server.Url}");
            Console.Out.Flush();
            await new FolderWatch(folder, bundles, time, Log).RunAsync(cancellationToken);
        }
        return ExitCode.Ok;
    }

    private static BundleVerifier? Verifier(ParseResult parsed)
    {
        if (parsed.GetValue(PublicKey) is not { Length: > 0 } files) return null;
        VerificationKey[] keys = [.. files.Select(BundleFiles.PublicKey).DistinctBy(static k => k.Id)];
        int threshold = parsed.GetValue(Threshold);
        return threshold >= 1 && threshold <= keys.Length
            ? new BundleVerifier(keys, threshold)
            : throw new UserException($"--threshold is {threshold}, and {keys.Length} different key(s) are given");
    }

    private static IPEndPoint Address(string text)
    {
        string full = text.StartsWith(':') ? $"[::]{text}" : text.StartsWith("localhost:", StringComparison.OrdinalIgnoreCase) ? $"127.0.0.1{text["localhost".Length..]}" : text;
        return full.Contains(':', StringComparison.Ordinal) && !full.EndsWith(']') && IPEndPoint.TryParse(full, out IPEndPoint? address)
            ? address
            : throw new UserException($"--listen: '{text}' is no address; write IP:PORT, for example 127.0.0.1:9902");
    }

    /// <summary>For service managers and people: a line on stderr.</summary>
    private static void Log(string line) =>
        Console.Error.WriteLine($"{TimeProvider.System.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture)} {new string([.. line.Select(static c => char.IsControl(c) ? ' ' : c)])}");
}
