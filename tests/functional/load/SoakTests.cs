using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Load;

/// <summary>The soak of bench/soak, as short as it can be: its load is right, nothing fails, and what was opened is closed again. The long one is <c>make soak</c>.</summary>
[Collection("load")]
public sealed class SoakTests
{
    private const string Soak = "artifacts/bin/Gateway.Bench.Soak/release/Gateway.Bench.Soak";

    [Fact]
    public async Task AShortSoak_FailsNothing_AndLeavesNothingOpen()
    {
        // Its sites start and end too, and what is left open is waited for.
        CommandResult result = await Command.RunAsync(RepositoryRoot.PathOf(Soak), ["--seconds", "15", "--rate", "600"], deadline: TimeSpan.FromMinutes(4));
        Assert.True(result.ExitCode == 0, result.Both);
        Assert.Contains("**Passed**", result.Out, StringComparison.Ordinal);
    }
}
