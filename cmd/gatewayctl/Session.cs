using System.CommandLine;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Gateway.Client;

namespace Gateway.Ctl;

/// <summary>A client of the gateway that the options and the environment name.</summary>
internal sealed class Session : IDisposable
{
    private Session(GatewayClient client, Uri server, string tokenFile, Output output)
    {
        Client = client;
        Server = server;
        TokenFile = tokenFile;
        Output = output;
    }

    public GatewayClient Client { get; }
    public Uri Server { get; }
    public string TokenFile { get; }
    public Output Output { get; }

    public static Session Open(ParseResult parsed, Output output)
    {
        string server = parsed.GetValue(ConnectionOptions.Server) ?? FromEnvironment("GATEWAY_SERVER") ?? ConnectionOptions.DefaultServer;
        if (!Uri.TryCreate(server, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("http" or "https"))
            throw new UserException($"'{server}' is not an address of an admin API. Write it as {ConnectionOptions.DefaultServer}");
        string tokenFile = parsed.GetValue(ConnectionOptions.TokenFile) ?? FromEnvironment("GATEWAY_TOKEN_FILE") ?? ConnectionOptions.DefaultTokenFile;
        var options = new GatewayClientOptions
        {
            Server = uri,
            Token = ReadToken(tokenFile),
            Authorities = ReadAuthorities(parsed.GetValue(ConnectionOptions.Ca)),
            ClientCertificate = ReadCertificate(parsed.GetValue(ConnectionOptions.Certificate), parsed.GetValue(ConnectionOptions.Key)),
        };
        return new Session(new GatewayClient(options), uri, tokenFile, output);
    }

    public void Dispose() => Client.Dispose();

    /// <summary>The full version that <paramref name="text"/>, a full one or its first characters, stands for.</summary>
    public async Task<string> ResolveVersionAsync(string text, CancellationToken cancellationToken)
    {
        const int fullLength = 64, shortest = 4;
        if (text.Length >= fullLength) return text;
        if (text.Length < shortest) throw new UserException($"'{text}' is too short for a version: give at least {shortest} characters of it");
        History history = await Client.GetHistoryAsync(10_000, cancellationToken);
        string[] found = history.Entries.Select(e => e.Version).OfType<string>()
            .Where(v => v.StartsWith(text, StringComparison.OrdinalIgnoreCase)).Distinct().ToArray();
        return found.Length switch
        {
            1 => found[0],
            0 => throw new UserException($"no version in the history begins with '{text}': look at 'gatewayctl history'"),
            _ => throw new UserException($"'{text}' is the beginning of {found.Length} versions: give more characters"),
        };
    }

    /// <summary>What <c>--at</c> takes: a time as it is, of a version its beginning made whole.</summary>
    public async Task<string> ResolveAtAsync(string text, CancellationToken cancellationToken) =>
        text.All(char.IsAsciiHexDigit) ? await ResolveVersionAsync(text, cancellationToken) : text;

    private static string? FromEnvironment(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    private static string ReadToken(string file)
    {
        try
        {
            string token = File.ReadAllText(file).Trim();
            return token.Length > 0 ? token : throw new UserException($"the token file {file} is empty");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new UserException(
                $"no token file at {file}. The gateway creates admin.token in its --data-dir (./data unless told otherwise) at its first start; "
                + "name it with --token-file or GATEWAY_TOKEN_FILE.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"cannot read the token file {file}: {e.Message}");
        }
    }

    private static X509Certificate2Collection? ReadAuthorities(string? file)
    {
        if (file is null) return null;
        var authorities = new X509Certificate2Collection();
        try
        {
            authorities.ImportFromPemFile(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new UserException($"cannot read --ca {file}: {e.Message}");
        }
        return authorities.Count > 0 ? authorities : throw new UserException($"--ca {file} has no certificate in PEM form");
    }

    private static X509Certificate2? ReadCertificate(string? certificate, string? key)
    {
        if (certificate is null) return key is null ? null : throw new UserException("--key needs --cert");
        try
        {
            return X509Certificate2.CreateFromPemFile(certificate, key ?? certificate);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new UserException($"cannot read --cert {certificate}{(key is null ? "" : $" with --key {key}")}: {e.Message}");
        }
    }
}
