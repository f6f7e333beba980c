using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Harness;

/// <summary>Real clients. A test that needs one that is not installed says loudly that it was skipped.</summary>
internal static class Tool
{
    public static string Require(string program)
    {
        string? path = Command.Find(program);
        Assert.SkipWhen(path is null, $"SKIPPED: '{program}' is not installed, this behaviour was not tested with it");
        return path!;
    }
}
