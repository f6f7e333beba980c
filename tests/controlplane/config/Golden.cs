using Xunit;

namespace Gateway.ControlPlane.Tests.Configuration;

/// <summary>Files under tests/golden that outputs are compared with; <c>UPDATE_GOLDEN=1</c> writes them anew, for a look at the difference.</summary>
internal static class Golden
{
    public static string Root { get; } = FindRoot();

    public static string Folder(string name) => Path.Combine(Root, "tests", "golden", name);

    public static void Matches(string path, string actual)
    {
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1") File.WriteAllText(path, actual);
        Assert.True(File.Exists(path), $"{path} is missing; run the tests with UPDATE_GOLDEN=1 and look at what they write");
        Assert.Equal(File.ReadAllText(path), actual);
    }

    private static string FindRoot()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Gateway.sln"))) folder = Path.GetDirectoryName(folder);
        return folder ?? throw new InvalidOperationException("Gateway.sln is in no folder above the tests.");
    }
}
