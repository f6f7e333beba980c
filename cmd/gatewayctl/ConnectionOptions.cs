using System.CommandLine;

namespace Gateway.Ctl;

/// <summary>The options every command has: which gateway, and how to show the answer.</summary>
internal static class ConnectionOptions
{
    public const string DefaultServer = "http://127.0.0.1:9901";
    public static readonly string DefaultTokenFile = Path.Combine(".", "data", "admin.token");

    public static readonly Option<string> Server = new("--server")
    {
        Description = $"Address of the admin API. Default: GATEWAY_SERVER, else {DefaultServer}",
        HelpName = "URL",
        Recursive = true,
    };

    public static readonly Option<string> TokenFile = new("--token-file")
    {
        Description = $"File with the admin token. Default: GATEWAY_TOKEN_FILE, else {DefaultTokenFile}",
        HelpName = "FILE",
        Recursive = true,
    };

    public static readonly Option<string> Ca = new("--ca")
    {
        Description = "PEM file with the authorities to trust for https, in place of the system's",
        HelpName = "FILE",
        Recursive = true,
    };

    public static readonly Option<string> Certificate = new("--cert")
    {
        Description = "PEM file with the client certificate to show",
        HelpName = "FILE",
        Recursive = true,
    };

    public static readonly Option<string> Key = new("--key")
    {
        Description = "PEM file with the client certificate's key. Default: the --cert file",
        HelpName = "FILE",
        Recursive = true,
    };

    public static readonly Option<bool> Json = new("--json")
    {
        Description = "Print the answer as JSON",
        Recursive = true,
    };

    public static void AddTo(RootCommand root)
    {
        root.Options.Add(Server);
        root.Options.Add(TokenFile);
        root.Options.Add(Ca);
        root.Options.Add(Certificate);
        root.Options.Add(Key);
        root.Options.Add(Json);
    }
}
