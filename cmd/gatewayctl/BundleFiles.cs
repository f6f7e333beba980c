using Gateway.Bundle;

namespace Gateway.Ctl;

/// <summary>The files that the bundle commands read and write; what is wrong with one is told with its name.</summary>
internal static class BundleFiles
{
    public static byte[] Read(string file) => Try(file, "read", () => File.ReadAllBytes(file));

    public static SigningKey PrivateKey(string file) => Key(file, SigningKey.FromPem);

    public static VerificationKey PublicKey(string file) => Key(file, VerificationKey.FromPem);

    public static void Write(string file, byte[] content) => Try(file, "write", () =>
    {
        File.WriteAllBytes(file, content);
        return 0;
    });

    /// <summary>Never over a file that is there: a key overwritten is a key lost.</summary>
    /// <param name="mode">Null for what the umask leaves.</param>
    public static void Create(string file, byte[] content, UnixFileMode? mode) => Try(file, "create", () =>
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (mode is not null && !OperatingSystem.IsWindows()) options.UnixCreateMode = mode;
        using var stream = new FileStream(file, options);
        stream.Write(content);
        return 0;
    });

    private static T Key<T>(string file, Func<string, T> read)
    {
        try
        {
            return read(Try(file, "read", () => File.ReadAllText(file)));
        }
        catch (FormatException e)
        {
            throw new UserException($"{file}: {e.Message}");
        }
    }

    private static T Try<T>(string file, string verb, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"cannot {verb} {file}: {e.Message}");
        }
    }
}
