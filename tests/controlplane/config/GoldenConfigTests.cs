using System.Text;
using Gateway.Config;
using Gateway.ControlPlane.Documents;
using Xunit;

namespace Gateway.ControlPlane.Tests.Configuration;

/// <summary>
/// Every document in tests/golden/config: a broken one has its errors beside it, line by line as the executables print them, a good one
/// its canonical form, and either its warnings.
/// </summary>
public sealed class GoldenConfigTests
{
    private static readonly ReadOptions Options = new()
    {
        EnvironmentVariable = name => name == "KEY_PASSWORD" ? "hunter2" : null,
        SecretFile = path => path == "password.txt" ? "swordfish\n" : throw new FileNotFoundException(),
    };

    public static TheoryData<string> Documents()
    {
        var names = new TheoryData<string>();
        foreach (string file in Directory.EnumerateFiles(Golden.Folder("config")).Order(StringComparer.Ordinal))
            if (!file.Contains(".canonical.", StringComparison.Ordinal) && !file.EndsWith(".txt", StringComparison.Ordinal)) names.Add(Path.GetFileName(file));
        return names;
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void Document_ReadsAsItsGoldenFileSays(string name)
    {
        string path = Path.Combine(Golden.Folder("config"), name);
        byte[] bytes = File.ReadAllBytes(path);
        ReadResult result = name.EndsWith(".json", StringComparison.Ordinal) ? ConfigReader.ReadJson(bytes, Options) : YamlReader.Read(bytes, Options);

        string stem = Path.Combine(Golden.Folder("config"), Path.GetFileNameWithoutExtension(name));
        Assert.Equal(result.Errors.Count == 0, result.Config is not null);
        Assert.DoesNotContain("hunter2", string.Join("\n", result.Errors) + string.Join("\n", result.Warnings), StringComparison.Ordinal);
        if (result.Config is { } config)
        {
            string canonical = Encoding.UTF8.GetString(CanonicalConfig.Write(config));
            Assert.DoesNotContain("hunter2", canonical, StringComparison.Ordinal);
            Golden.Matches(stem + ".canonical.json", canonical + "\n");
        }
        else
        {
            Golden.Matches(stem + ".errors.txt", string.Join("\n", result.Errors) + "\n");
        }
        if (result.Warnings.Count > 0 || File.Exists(stem + ".warnings.txt"))
            Golden.Matches(stem + ".warnings.txt", string.Join("\n", result.Warnings) + "\n");
    }

    [Fact]
    public void ThereAreGoldenFilesForManyKindsOfBrokenDocument() =>
        Assert.True(Directory.GetFiles(Golden.Folder("config"), "*.errors.txt").Length >= 20);
}
