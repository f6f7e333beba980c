using System.Text.RegularExpressions;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Rollout;

/// <summary><c>gatewayctl rollout watch</c> on a terminal, which util-linux's <c>script</c> plays: one table, drawn anew, not one under another.</summary>
public sealed partial class LiveTableTests
{
    [Fact]
    public async Task OnATerminal_TheTableIsDrawnAnew_AndItsLastStateStays()
    {
        string script = Tool.Require("script");
        await using RolloutSite site = await RolloutSite.StartAsync(RolloutSite.Ticking);
        await using SteadyLoad load = site.Load(clients: 2, TimeSpan.FromMilliseconds(1));
        string id = await site.BeginAsync(site.Candidate(RolloutSite.Ticking));
        string watch = $"stty cols 120 rows 40; exec '{GatewayProcess.CtlExecutable}' rollout watch {id} --server {site.Gateway.AdminAddress.ToString().TrimEnd('/')} --token-file '{Path.Combine(site.Gateway.DataDir, "admin.token")}'";
        CommandResult watched = await Command.RunAsync(script, ["-qec", watch, "/dev/null"], environment: new Dictionary<string, string> { ["TERM"] = "xterm", ["SHELL"] = "/bin/sh" });
        Assert.True(watched.ExitCode == 0, watched.Both);

        var screen = new Screen();
        List<string> states = [];
        foreach (Match part in Part().Matches(watched.Out))
        {
            screen.Take(part.Value);
            if (screen.Lines is [{ Length: > 0 } first, ..] && (states.Count == 0 || states[^1] != first)) states.Add(first);
        }
        // It was drawn over and over, on the same lines.
        Assert.Contains(states, static s => s.StartsWith("rollout 1 running at 20%, stage 1 of 2, ", StringComparison.Ordinal));
        Assert.Contains(states, static s => s.StartsWith("rollout 1 running at 50%, stage 2 of 2, ", StringComparison.Ordinal));
        Assert.True(Regex.Count(watched.Out, "\e\\[[23]A\e\\[J") >= 4, watched.Out);
        Assert.Collection(screen.Lines,
            static line => Assert.Matches(@"^rollout 1 promoted: every stage passed  \([0-9a-f]{12}\)$", line),
            static line => Assert.Matches(@"^ROUTE +LIVE +FAILED +P95 +CANDIDATE +FAILED +P95$", line),
            static line => Assert.Matches(@"^shop +\d+ +0% +\d+\.\d ms +\d+ +0% +\d+\.\d ms$", line));
    }

    [GeneratedRegex(@"\e\[[0-9;?]*[A-Za-z]|\e[^\[]|[^\e]+")]
    private static partial Regex Part();

    /// <summary>What somebody sees, as far as it takes line feeds, the cursor's way up, and the erasing of all below it.</summary>
    private sealed class Screen
    {
        private readonly List<string> _lines = [""];
        private int _row;

        public IReadOnlyList<string> Lines => _lines[^1].Length == 0 ? _lines[..^1] : _lines;

        public void Take(string part)
        {
            if (part is ['\e', '[', .. var count, 'A']) _row -= int.Parse(count, System.Globalization.CultureInfo.InvariantCulture);
            else if (part == "\e[J")
            {
                _lines.RemoveRange(_row, _lines.Count - _row);
                _lines.Add("");
            }
            // Colours, and what a terminal is set up with.
            else if (part[0] != '\e') Write(part);
        }

        private void Write(string text)
        {
            foreach (char c in text)
            {
                if (c == '\n' && ++_row == _lines.Count) _lines.Add("");
                else if (!char.IsControl(c)) _lines[_row] += c;
            }
        }
    }
}
