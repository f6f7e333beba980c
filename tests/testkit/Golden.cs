namespace Gateway.TestKit;

/// <summary>Texts that must not change by accident, as files under tests/golden. <c>UPDATE_GOLDEN=1</c> writes them anew; the diff is then reviewed.</summary>
public static class Golden
{
    /// <summary>Throws with both texts when <paramref name="actual"/> is not the content of tests/golden/<paramref name="name"/>.</summary>
    public static void Check(string name, string actual)
    {
        string file = RepositoryRoot.PathOf(Path.Combine("tests", "golden", name));
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            _ = Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, actual);
            return;
        }
        string expected = File.Exists(file) ? File.ReadAllText(file) : "";
        if (expected != actual)
            throw new InvalidOperationException($"{file} differs (UPDATE_GOLDEN=1 writes it anew)\n--- expected\n{expected}\n--- actual\n{actual}");
    }
}
