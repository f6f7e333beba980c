using System.CommandLine;
using Gateway.ControlPlane.Pull;

namespace Gateway.Command.Commands;

/// <summary>The options of <c>gateway run</c> that say where bundles are pulled from.</summary>
internal sealed record PullArguments(string Url, string Interval, string? TokenFile, string? CaFile, string? Proxy)
{
    private static readonly Option<string?> UrlOption = new("--pull") { HelpName = "URL", Description = "Fetch signed bundles from this distributor (URL/bundles/latest, unless URL has a path). Needs --public-key, or --allow-unsigned. With it --config may be left out: the first bundle is waited for." };
    private static readonly Option<string> IntervalOption = new("--pull-interval") { HelpName = "DURATION", DefaultValueFactory = static _ => "5s", Description = "Time between two requests to a server that does not wait for news, 1s to 24h." };
    private static readonly Option<string?> TokenOption = new("--pull-token-file") { HelpName = "FILE", Description = "File with the distributor's bearer token; read at every request." };
    private static readonly Option<string?> CaOption = new("--pull-ca") { HelpName = "FILE", Description = "PEM file with the authorities to trust for the distributor, in place of the system's." };
    private static readonly Option<string?> ProxyOption = new("--pull-proxy") { HelpName = "URL", Description = "Proxy to reach the distributor by. Default: none; the environment's are not used." };

    public static void AddTo(System.CommandLine.Command command)
    {
        command.Options.Add(UrlOption);
        command.Options.Add(IntervalOption);
        command.Options.Add(TokenOption);
        command.Options.Add(CaOption);
        command.Options.Add(ProxyOption);
    }

    public static bool IsGiven(System.CommandLine.Parsing.CommandResult result) => result.GetResult(UrlOption) is not null;

    /// <summary>Null without <c>--pull</c>.</summary>
    public static PullArguments? Read(ParseResult parsed) =>
        parsed.GetValue(UrlOption) is { } url ? new PullArguments(url, parsed.GetValue(IntervalOption)!, parsed.GetValue(TokenOption), parsed.GetValue(CaOption), parsed.GetValue(ProxyOption)) : null;

    /// <exception cref="FormatException">With a message for a person that says how to mend it.</exception>
    public PullOptions Load() => PullOptions.Load(Url, Interval, TokenFile, CaFile, Proxy);
}
