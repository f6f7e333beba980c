using System.CommandLine;
using System.CommandLine.Invocation;
using System.Net.Sockets;
using System.Text.Json;
using Gateway.Client;

namespace Gateway.Ctl;

/// <summary>From arguments to an exit code: every way a command can fail ends here in one message.</summary>
internal static class Invocation
{
    public static async Task<int> RunAsync(RootCommand root, string[] args)
    {
        ParseResult parsed = root.Parse(args);
        if (parsed.Action is ParseErrorAction)
        {
            Console.Error.WriteLine($"gatewayctl: {parsed.Errors[^1].Message}");
            Console.Error.WriteLine($"Try '{CommandPath(parsed)} --help'.");
            return ExitCode.Usage;
        }
        return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
    }

    /// <summary>Runs <paramref name="body"/> against the gateway that the options name.</summary>
    public static void SetBody(this Command command, Func<ParseResult, Session, CancellationToken, Task> body) =>
        command.SetBody(async (parsed, session, cancellationToken) =>
        {
            await body(parsed, session, cancellationToken);
            return ExitCode.Ok;
        });

    /// <summary>As the other, with the exit code as the result.</summary>
    public static void SetBody(this Command command, Func<ParseResult, Session, CancellationToken, Task<int>> body) =>
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var output = new Output(parsed.GetValue(ConnectionOptions.Json));
            try
            {
                using Session session = Session.Open(parsed, output);
                return await GuardAsync(session, output, () => body(parsed, session, cancellationToken));
            }
            catch (UserException e)
            {
                output.Error(e.Message);
                return ExitCode.Refused;
            }
        });

    /// <summary>Runs <paramref name="body"/>, which asks no gateway; its result is the exit code.</summary>
    public static void SetLocalBody(this Command command, Func<ParseResult, Output, int> body) =>
        command.SetAction(parsed =>
        {
            var output = new Output(parsed.GetValue(ConnectionOptions.Json));
            try
            {
                return body(parsed, output);
            }
            catch (UserException e)
            {
                output.Error(e.Message);
                return ExitCode.Refused;
            }
        });

    private static async Task<int> GuardAsync(Session session, Output output, Func<Task<int>> body)
    {
        try
        {
            return await body();
        }
        catch (GatewayApiException e)
        {
            output.Json(new Problem(null, null, e.Status, e.Message, e.Errors), ClientJson.Default.Problem);
            foreach (Config.ConfigError error in e.Errors) Console.Error.WriteLine(error.ToString());
            if (e.Errors.Count == 0 || e.Status != 400) output.Error(e.Message + Fix(e, session));
            return e.Status >= 500 ? ExitCode.Unavailable : ExitCode.Refused;
        }
        catch (HttpRequestException e)
        {
            output.Error(e.InnerException is JsonException
                ? e.Message
                : $"cannot reach {session.Server.OriginalString}: {Reason(e)}");
            return ExitCode.Unavailable;
        }
        catch (TaskCanceledException e) when (e.InnerException is TimeoutException)
        {
            output.Error($"{session.Server.OriginalString} did not answer in time.");
            return ExitCode.Unavailable;
        }
    }

    private static string Fix(GatewayApiException e, Session session) => e.Status switch
    {
        401 or 403 => $". The token was read from {session.TokenFile}; the gateway keeps its own in its --data-dir as admin.token.",
        412 => ". Someone else changed the configuration: look at 'gatewayctl snapshot', then apply to that version.",
        _ => "",
    };

    private static string Reason(HttpRequestException e) => e.HttpRequestError switch
    {
        HttpRequestError.SecureConnectionError =>
            $"{e.GetBaseException().Message.TrimEnd('.')}. Name the authority of its certificate with --ca; show a certificate with --cert and --key if it asks for one.",
        _ => $"{(e.InnerException is SocketException socket ? socket.Message : e.Message).TrimEnd('.')}. "
            + "Is the gateway running, with its admin API there? Name another with --server or GATEWAY_SERVER.",
    };

    private static string CommandPath(ParseResult parsed)
    {
        string name = parsed.CommandResult.Command.Name;
        return parsed.CommandResult.Command is RootCommand ? "gatewayctl" : $"gatewayctl {name}";
    }
}
