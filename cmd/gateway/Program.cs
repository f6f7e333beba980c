using System.CommandLine;
using System.CommandLine.Invocation;
using Gateway.Command.Commands;
using Gateway.Command.Demo;

namespace Gateway.Command;

internal static class Program
{
    private static async Task<int> Main(string[] args)
    {
        KeepMoreBuffers();
        RootCommand root = new("A reverse-proxy gateway whose configuration changes under load without a failed request.")
        {
            RunCommand.Create(),
            ValidateCommand.Create(),
            SchemaCommand.Create(),
            DemoCommand.Create(),
            DemoOriginCommand.Create(),
        };
        AppDomain.CurrentDomain.UnhandledException += static (_, e) =>
        {
            Console.Error.WriteLine($"gateway: internal error: {e.ExceptionObject}");
            Environment.Exit(ExitCodes.Internal);
        };
        try
        {
            ParseResult parsed = root.Parse(args);
            if (args.Length > 0 && parsed.Action is ParseErrorAction misuse) misuse.ShowHelp = false;
            int code = await parsed.InvokeAsync(new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                // The commands handle signals themselves: the first one drains.
                ProcessTerminationTimeout = null,
            });
            return parsed.Errors.Count > 0 ? ExitCodes.Usage : code;
        }
        catch (Exception e)
        {
            await Console.Error.WriteLineAsync($"gateway: internal error: {e}");
            return ExitCodes.Internal;
        }
    }

    /// <summary>
    /// .NET's client of HTTP/2 takes a block of 16 KB of the shared pool for each stream with something to read. The pool keeps 32 of a size for
    /// each processor; with more streams than that, nearly every message of theirs would allocate one. Read once, before the pool is first used.
    /// </summary>
    private static void KeepMoreBuffers()
    {
        const string Name = "DOTNET_SYSTEM_BUFFERS_SHAREDARRAYPOOL_MAXARRAYSPERPARTITION";
        if (Environment.GetEnvironmentVariable(Name) is null) Environment.SetEnvironmentVariable(Name, "512");
    }
}
