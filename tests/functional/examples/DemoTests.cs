using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Examples;

/// <summary><c>gateway demo</c> does what it prints: every line it tells a newcomer to try is run in a shell, and answers as its comment says.</summary>
public sealed partial class DemoTests
{
    [Fact]
    public async Task EveryPrintedLine_AnswersAsItsCommentSays()
    {
        using var folder = new TempFolder();
        int[] ports = FreePorts(5);
        string file = folder.Write("demo.json", (await File.ReadAllTextAsync(RepositoryRoot.PathOf("configs/quickstart.json")))
            .Replace(":8080", $":{ports[0]}").Replace(":9001", $":{ports[1]}").Replace(":9002", $":{ports[2]}").Replace(":9003", $":{ports[3]}"));
        using Process demo = Start("demo", "--config", file, "--admin", $"127.0.0.1:{ports[4]}", "--admin-token-file", folder["admin.token"]);
        try
        {
            List<string> printed = await Eventually.Within("the end of what the demo prints", ReadUntilAsync(demo.StandardOutput, "Ctrl-C stops everything."));
            // Nobody reads on, and a full pipe would stop the demo.
            _ = demo.StandardOutput.ReadToEndAsync();
            _ = demo.StandardError.ReadToEndAsync();
            List<(string Command, string Comment)> steps = Steps(printed);
            Assert.Contains(steps, s => s.Command.Contains("/admin/config", StringComparison.Ordinal));
            Assert.Contains(steps, s => s.Command.Contains("gatewayctl rollback", StringComparison.Ordinal));
            Assert.True(steps.Count(s => s.Comment.Length > 0) >= 8, string.Join('\n', printed));
            foreach ((string command, string comment) in steps) await CheckAsync(command, comment);
        }
        finally
        {
            _ = await Command.RunAsync("kill", "-TERM", $"{demo.Id}");
            await Eventually.Within("the demo's end", demo.WaitForExitAsync());
        }
        Assert.Equal(0, demo.ExitCode);
    }

    [Fact]
    public async Task OriginPortThatIsTaken_IsNamedWithWhatToDo()
    {
        using var folder = new TempFolder();
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        string file = folder.Write("demo.json", $$"""
            { "version": "v1", "listeners": [{ "name": "web", "address": "127.0.0.1:0" }], "routes": [{ "name": "all", "pool": "blue" }],
              "pools": { "blue": { "endpoints": [{ "address": "{{taken.LocalEndpoint}}" }] } } }
            """);
        CommandResult result = await GatewayProcess.RunAsync("demo", "--config", file, "--admin-token-file", folder["admin.token"]);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains($"the demo origin of pool 'blue' cannot listen on {taken.LocalEndpoint}: Address already in use. Stop what listens there", result.Error, StringComparison.Ordinal);
    }

    private static async Task CheckAsync(string command, string comment)
    {
        CommandResult result = await Command.RunAsync("sh", ["-c", command.Replace("curl ", "curl -sS -i ", StringComparison.Ordinal)], folder: RepositoryRoot.Folder);
        Assert.True(result.ExitCode == 0, $"{command}\n{result.Both}");
        Match expected = Comment().Match(comment);
        if (!expected.Success) return;
        Assert.StartsWith($"HTTP/1.1 {expected.Groups["status"].Value} ", result.Out, StringComparison.Ordinal);
        if (expected.Groups["pool"].Success) Assert.Contains($"\"origin\": \"{expected.Groups["pool"].Value}", result.Out, StringComparison.Ordinal);
        if (expected.Groups["to"].Success) Assert.Matches($"(?im)^location: .*{Regex.Escape(expected.Groups["to"].Value)}\r?$", result.Out);
        if (expected.Groups["body"].Success) Assert.Contains(expected.Groups["body"].Value, result.Out, StringComparison.Ordinal);
    }

    /// <summary>The indented lines, a line that ends in a pipe joined with its next.</summary>
    private static List<(string Command, string Comment)> Steps(List<string> printed)
    {
        var steps = new List<(string, string)>();
        string carried = "";
        foreach (string line in printed.Where(l => l.StartsWith("  ", StringComparison.Ordinal)))
        {
            string[] parts = (carried + line.Trim()).Split(" # ", 2);
            carried = line.EndsWith('|') ? parts[0] + " " : "";
            if (carried.Length == 0) steps.Add((parts[0].Trim(), parts.Length > 1 ? parts[1] : ""));
        }
        return steps;
    }

    private static async Task<List<string>> ReadUntilAsync(StreamReader reader, string last)
    {
        var lines = new List<string>();
        while (await reader.ReadLineAsync() is { } line)
        {
            lines.Add(line);
            if (line == last) return lines;
        }
        throw new InvalidOperationException($"the demo ended early:\n{string.Join('\n', lines)}");
    }

    private static Process Start(params string[] arguments) =>
        Process.Start(new ProcessStartInfo(GatewayProcess.Executable, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = RepositoryRoot.Folder })!;

    /// <summary>Ports that were free a moment ago: a demo's addresses are in its configuration, so they cannot be 0.</summary>
    private static int[] FreePorts(int count)
    {
        TcpListener[] held = [.. Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0))];
        foreach (TcpListener listener in held) listener.Start();
        int[] ports = [.. held.Select(l => ((IPEndPoint)l.LocalEndpoint).Port)];
        foreach (TcpListener listener in held) listener.Dispose();
        return ports;
    }

    [GeneratedRegex(@"^(?<status>\d{3}) (from pool (?<pool>[^,]+)|to (?<to>.+)|(?<body>.+))")]
    private static partial Regex Comment();
}
